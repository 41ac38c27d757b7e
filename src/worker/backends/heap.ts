/** `limits.heap` as Node takes it: whole MiB of V8's old space, of a process or of a thread. */
const MIB = 1024 ** 2;

export function heapMebibytes(heapBytes: number | null): number | null {
  return heapBytes === null ? null : Math.floor(heapBytes / MIB);
}

export function heapFlags(heapBytes: number | null): string[] {
  const mebibytes = heapMebibytes(heapBytes);
  return mebibytes === null ? [] : [`--max-old-space-size=${mebibytes}`];
}
