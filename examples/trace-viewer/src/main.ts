import {
  type CommandSpan,
  CommandSpans,
  commandName,
  LatencyHistogram,
  latencyOf,
  readSavedTrace,
} from "v86-nvme";

const element = (id: string) => document.getElementById(id) as HTMLElement;
/** The slowest ones are shown. */
const SHOWN = 100;

element("file").addEventListener("change", async event => {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (file) show(await file.text());
});

function show(text: string): void {
  element("commands").replaceChildren();
  try {
    const { about, records } = readSavedTrace(text);
    const commands: CommandSpan[] = [];
    const histogram = new LatencyHistogram();
    const spans = new CommandSpans(span => {
      commands.push(span);
      histogram.add(latencyOf(span));
    });
    for (const record of records) spans.add(record);
    commands.sort((a, b) => latencyOf(b) - latencyOf(a));
    element("commands").append(...commands.slice(0, SHOWN).map(row));
    const [p50, p99] = [0.5, 0.99].map(quantile => Math.round(histogram.quantile(quantile)));
    element("summary").textContent =
      `${commands.length} commands, served by ${about.serving}: half of them within ${p50} µs, 99 % within ${p99} µs.`;
  } catch (error) {
    // SavedTraceError: a sentence that says why.
    element("summary").textContent = error instanceof Error ? error.message : String(error);
  }
}

function row(span: CommandSpan): HTMLTableRowElement {
  const { qid, opcode, lba, blocks, fetchedAt, doneAt, postedAt } = span;
  const tr = document.createElement("tr");
  for (const value of [
    qid,
    commandName(qid, opcode),
    lba,
    blocks,
    latencyOf(span),
    (doneAt ?? postedAt) - fetchedAt,
  ]) {
    tr.insertCell().textContent = String(value);
  }
  return tr;
}
