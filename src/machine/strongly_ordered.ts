/** Does this host show stores to other threads in program order, as x86 does? Where the browser does not say: no. */
export async function isStronglyOrderedHost(): Promise<boolean> {
  const { userAgentData } = navigator as unknown as {
    userAgentData?: { getHighEntropyValues(hints: string[]): Promise<{ architecture?: string }> };
  };
  const values = await userAgentData?.getHighEntropyValues(["architecture"]).catch(() => undefined);
  return values?.architecture === "x86";
}
