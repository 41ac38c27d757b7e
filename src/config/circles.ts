/** Each circle of two or more names once, beginning with the name that stands first. */
export function circlesOf(next: ReadonlyMap<string, readonly string[]>): string[][] {
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name);
    if (start !== -1) {
      if (trail.length - start > 1) circles.push(trail.slice(start));
      return;
    }
    if (done.has(name)) return;
    for (const wanted of next.get(name) ?? []) visit(wanted, [...trail, name]);
    done.add(name);
  };
  for (const name of next.keys()) visit(name, []);
  return circles;
}
