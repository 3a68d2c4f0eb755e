/** What a Playwright JSON report says of each test. */
import { LEFT_OUT } from "../../e2e/left_out.ts";

export interface Outcome {
  /** The spec file, without its folder. */
  readonly file: string;
  readonly title: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Why all of it was skipped. */
  readonly reason?: string;
  /** Steps that were left out, with the reason. */
  readonly leftOut: readonly string[];
}

export interface JsonReport {
  readonly suites: readonly JsonSuite[];
  readonly stats: { readonly startTime: string };
}

interface JsonSuite {
  readonly file: string;
  readonly specs: readonly JsonSpec[];
  readonly suites?: readonly JsonSuite[];
}

interface JsonSpec {
  readonly title: string;
  readonly tests: readonly {
    /** "expected" and "flaky" have passed. */
    readonly status: "expected" | "unexpected" | "flaky" | "skipped";
    readonly annotations: readonly { readonly type: string; readonly description?: string }[];
  }[];
}

export function outcomesOf({ suites }: Pick<JsonReport, "suites">): Outcome[] {
  return suites.flatMap(outcomesOfSuite);
}

function outcomesOfSuite({ file, specs, suites = [] }: JsonSuite): Outcome[] {
  const own = specs.flatMap(({ title, tests }) =>
    tests.map(({ status, annotations }): Outcome => {
      const described = (type: string) =>
        annotations.flatMap(each => (each.type === type && each.description ? [each.description] : []));
      const [reason] = described("skip");
      return {
        file: file.replace(/^.*\//, ""),
        title,
        status: status === "skipped" ? "skipped" : status === "unexpected" ? "failed" : "passed",
        ...(status === "skipped" && reason !== undefined && { reason }),
        leftOut: described(LEFT_OUT),
      };
    }),
  );
  return [...own, ...suites.flatMap(outcomesOfSuite)];
}

export function count(outcomes: readonly Outcome[]) {
  const having = (status: Outcome["status"]) => outcomes.filter(each => each.status === status).length;
  return { passed: having("passed"), failed: having("failed"), skipped: having("skipped") };
}

/** A line for each test, or step of one, that was not run or failed. */
export function problems(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ file, title, status, reason, leftOut }) => [
    ...(status === "failed" ? [`failed: ${file}, ${title}`] : []),
    ...(status === "skipped"
      ? [`skipped: ${file}, ${title}: ${reason ?? "not reached, after a failure"}`]
      : []),
    ...leftOut.map(step => `left out: ${file}, ${title}: ${step}`),
  ]);
}
