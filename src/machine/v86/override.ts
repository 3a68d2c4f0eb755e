/**
 * Replaces a method of one object, whether it is its own or its class's. The function that it returns puts back what was
 * there; of several replacements of the same method the last one must go first.
 */
export function override<T extends object, K extends keyof T>(target: T, name: K, method: T[K]): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  target[name] = method;
  return () => {
    if (before) Object.defineProperty(target, name, before);
    else delete target[name];
  };
}
