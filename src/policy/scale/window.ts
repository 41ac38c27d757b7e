/** The most extreme of what was added within a window; each value is looked at once on its way in and once on its way out. */
class WindowExtreme {
  /** Values that may still become the extreme, oldest and most extreme first. */
  #candidates: { at: number; value: number }[] = [];

  constructor(private readonly beats: (value: number, other: number) => boolean) {}

  add(value: number, now: number): void {
    while (this.#candidates.length > 0 && !this.beats(this.#candidates.at(-1)!.value, value)) this.#candidates.pop();
    this.#candidates.push({ at: now, value });
  }

  /** Null while nothing was added. The latest value always counts. */
  over(windowMs: number, now: number): number | null {
    return this.#candidates.find(({ at }) => now - at < windowMs)?.value ?? this.#candidates.at(-1)?.value ?? null;
  }

  /** What no longer is looked for. */
  forget(olderThanMs: number, now: number): void {
    let gone = 0;
    while (gone < this.#candidates.length - 1 && now - this.#candidates[gone]!.at >= olderThanMs) gone++;
    if (gone > 0) this.#candidates.splice(0, gone);
  }
}

export class WindowMaximum extends WindowExtreme {
  constructor() {
    super((value, other) => value > other);
  }
}

export class WindowMinimum extends WindowExtreme {
  constructor() {
    super((value, other) => value < other);
  }
}
