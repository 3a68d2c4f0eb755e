import type { Lesson } from "../lesson.ts";
import { doorbell } from "./doorbell.ts";
import { flush } from "./flush.ts";
import { phase } from "./phase.ts";
import { polling } from "./polling.ts";
import { shadow } from "./shadow.ts";
import { timeout } from "./timeout.ts";

/** All lessons, in the order in which they build on each other. */
export const lessons: readonly Lesson[] = [doorbell, phase, shadow, polling, flush, timeout];
