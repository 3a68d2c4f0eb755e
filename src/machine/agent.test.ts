import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentClient } from "./agent.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function listening() {
  const sent: { id: string; command: string }[] = [];
  let ready = 0;
  const agent = new AgentClient(
    bytes => {
      const [id, encoded] = new TextDecoder().decode(bytes).trimEnd().split(" ");
      sent.push({ id, command: Buffer.from(encoded, "base64").toString() });
    },
    () => {
      ready += 1;
    },
  );
  agent.receive(encode("boot noise\n\x1eREADY\n"));
  return { agent, sent, ready: () => ready };
}

const record = (id: string, status = 0) => encode(`\x1e${id} ${status}\n`);
const concat = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap(part => [...part]));

describe("AgentClient", () => {
  it("sends nothing before the shell says that it listens", async () => {
    const sent: Uint8Array[] = [];
    const agent = new AgentClient(
      bytes => void sent.push(bytes),
      () => {},
    );
    const result = agent.exec("true");
    agent.receive(encode("\x1eNOT READY\n"));
    expect(sent).toEqual([]);
    agent.receive(encode("\x1eREADY\n"));
    expect(sent).toHaveLength(1);
    agent.receive(record("1", 0));
    expect((await result).exitCode).toBe(0);
  });

  it("sends commands as they are, whatever characters they have", () => {
    const { agent, sent } = listening();
    void agent.exec("printf 'ä\n€' # ☃");
    expect(sent[0].command).toBe("printf 'ä\n€' # ☃");
  });

  it("gives output and exit status", async () => {
    const { agent, sent } = listening();
    const result = agent.exec("false");
    agent.receive(concat(encode("some\noutput"), record(sent[0].id, 127)));
    expect(await result).toMatchObject({ output: "some\noutput", exitCode: 127 });
    expect((await result).ms).toBeGreaterThanOrEqual(0);
  });

  it("pauses when the command that runs has ended, and sends the next one when it may", async () => {
    const { agent, sent } = listening();
    const [first, second] = [agent.exec("a"), agent.exec("b")];
    let isIdle = false;
    const paused = agent.pause(1000).then(idle => {
      isIdle = idle;
    });
    await Promise.resolve();
    expect(isIdle).toBe(false);
    agent.receive(record(sent[0].id));
    await paused;
    expect([isIdle, sent.length]).toEqual([true, 1]);
    await first;
    agent.resume();
    agent.receive(record(sent[1].id));
    expect((await second).exitCode).toBe(0);
    expect(await agent.pause(1000)).toBe(true);
  });

  it("does not wait for ever for a command to end, and goes on", async () => {
    const { agent, sent } = listening();
    const result = agent.exec("sleep 1000");
    expect(await agent.pause(5)).toBe(false);
    agent.resume();
    agent.receive(record(sent[0].id));
    await result;
    void agent.exec("b");
    expect(sent).toHaveLength(2);
  });

  it("wakes a shell that listens already, with a command that comes before all others", async () => {
    const sent: string[] = [];
    const agent = new AgentClient(
      bytes => void sent.push(new TextDecoder().decode(bytes)),
      () => {},
    );
    const later = agent.exec("later");
    const woken = agent.wake("first");
    expect(Buffer.from(sent[0].split(" ")[1], "base64").toString()).toBe("first");
    agent.receive(record(sent[0].split(" ")[0]));
    expect((await woken).exitCode).toBe(0);
    agent.receive(record(sent[1].split(" ")[0]));
    await later;
  });

  it("runs one command at a time, in the order of the calls", async () => {
    const { agent, sent } = listening();
    const results = [agent.exec("a"), agent.exec("b"), agent.exec("c")];
    for (const command of ["a", "b", "c"]) {
      expect(sent.at(-1)?.command).toBe(command);
      agent.receive(concat(encode(command.toUpperCase()), record(sent.at(-1)!.id)));
    }
    expect((await Promise.all(results)).map(({ output }) => output)).toEqual(["A", "B", "C"]);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(3);
  });

  it("understands a record that is cut at any byte, and output in any pieces", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .string({ unit: "grapheme", maxLength: 30 })
          .filter(text => !text.includes("\x1e") && text.isWellFormed()),
        fc.nat(255),
        fc.array(fc.nat(40), { maxLength: 8 }),
        async (output, status, cuts) => {
          const { agent, sent } = listening();
          const result = agent.exec("x");
          const stream = concat(encode(output), record(sent[0].id, status));
          const places = [0, ...cuts.map(cut => cut % stream.length).sort((a, b) => a - b), stream.length];
          for (let i = 1; i < places.length; i++) agent.receive(stream.subarray(places[i - 1], places[i]));
          const { output: got, exitCode } = await result;
          expect([got, exitCode]).toEqual([new TextDecoder().decode(encode(output)), status]);
        },
      ),
    );
  });

  it.each<[string, string]>([
    ["alone", "\x1e"],
    ["before a line", "a\x1eb\nc"],
    ["with another record's id", "\x1e99 0\n"],
    ["with more words", "\x1e1 0 0\n"],
    ["with a status that is no number", "\x1e1 x\n"],
    ["at the very end", "abc\x1e"],
    ["twice at the end", "abc\x1e\x1e"],
    ["begun as a record", "\x1e1 "],
    ["long before a newline", `\x1e${"x".repeat(200)}\n`],
    ["a little before the end", `\x1e${"x".repeat(62)}`],
  ])("takes 1Eh for output where it starts no record: %s", async (_name, output) => {
    const { agent, sent } = listening();
    const result = agent.exec("x");
    agent.receive(concat(encode(output), record(sent[0].id)));
    const done = await Promise.race([result, new Promise(resolve => setImmediate(() => resolve("hangs")))]);
    expect(done).toMatchObject({ output, exitCode: 0 });
  });

  it.each([
    ["in the middle", "\x1eZWNobw== 0\n"],
    ["all but its end", "\x1e 0\n"],
    ["of which much is left", `\x1e${"ZWNo".repeat(40)} 0\n`],
  ])("sends a command again that the shell got in part: %s", async (_name, answer) => {
    const { agent, sent } = listening();
    const result = agent.exec("echo hello");
    agent.receive(encode(answer));
    expect(sent.map(({ command }) => command)).toEqual(["echo hello", ":"]);
    agent.receive(record(sent[1].id));
    expect(sent[2]).toEqual(sent[0]);
    agent.receive(concat(encode("hello\n"), record(sent[2].id)));
    expect(await result).toMatchObject({ output: "hello\n", exitCode: 0 });
  });

  it("does not send a command again of which only the id was cut", async () => {
    const { agent, sent } = listening();
    for (let i = 1; i < 40; i++) {
      const result = agent.exec("true");
      agent.receive(record(sent[i - 1].id));
      await result;
    }
    const result = agent.exec("once");
    expect(sent.at(-1)?.id).toBe("14");
    agent.receive(record("4", 7));
    expect((await result).exitCode).toBe(7);
    expect(sent.filter(({ command }) => command === "once")).toHaveLength(1);
  });

  it("survives binary output", async () => {
    const { agent, sent } = listening();
    const result = agent.exec("x");
    const all = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
    agent.receive(concat(all, record(sent[0].id, 3)));
    const { output, exitCode } = await result;
    expect([output, exitCode]).toEqual([new TextDecoder().decode(all), 3]);
  });

  it("joins a character that came in two batches", async () => {
    const { agent, sent } = listening();
    const result = agent.exec("x");
    const euro = encode("€");
    agent.receive(euro.subarray(0, 1));
    agent.receive(concat(euro.subarray(1), record(sent[0].id)));
    expect((await result).output).toBe("€");
  });

  it("close() rejects what runs and what waits; a new READY starts afresh", async () => {
    const { agent, sent } = listening();
    const running = agent.exec("a");
    const waiting = agent.exec("b");
    agent.close("the machine was stopped");
    await expect(running).rejects.toThrow("the machine was stopped");
    await expect(waiting).rejects.toThrow("the machine was stopped");
    const next = agent.exec("c");
    expect(sent).toHaveLength(1);
    agent.receive(encode("\x1eREADY\n"));
    expect(sent[1].command).toBe("c");
    agent.receive(record(sent[1].id));
    expect((await next).exitCode).toBe(0);
  });

  it("rejects a command that a new shell does not know of, and goes on", async () => {
    const { agent, sent } = listening();
    const lost = agent.exec("kill -9 $$");
    const next = agent.exec("true");
    agent.receive(encode("\x1eREADY\n"));
    expect(sent.map(({ command }) => command)).toEqual(["kill -9 $$", ":"]);
    agent.receive(record(sent[1].id));
    await expect(lost).rejects.toThrow("ended the automation shell");
    agent.receive(record(sent[2].id));
    expect((await next).exitCode).toBe(0);
  });

  it("keeps a command that waited in the tty for the new shell", async () => {
    const { agent, sent } = listening();
    const kept = agent.exec("true");
    agent.receive(encode("\x1eREADY\n"));
    agent.receive(record(sent[0].id, 5));
    expect((await kept).exitCode).toBe(5);
    const next = agent.exec("echo done");
    // The probe's answer comes late, and is no output of the next command.
    agent.receive(record(sent[1].id));
    agent.receive(concat(encode("done\n"), record(sent[2].id)));
    expect((await next).output).toBe("done\n");
  });
});
