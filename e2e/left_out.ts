/** The type of the annotation for a part of a test that was left out. */
export const LEFT_OUT = "left out";
