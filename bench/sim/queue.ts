/** Arrival and service times, first in first out, without an object for each. */
export class RequestQueue {
  #at = new Float64Array(1024);
  #service = new Float64Array(1024);
  #head = 0;
  length = 0;

  /** Of the first. */
  get arrivedAt(): number {
    return this.#at[this.#head]!;
  }
  get serviceMs(): number {
    return this.#service[this.#head]!;
  }

  push(at: number, serviceMs: number): void {
    if (this.length === this.#at.length) this.#double();
    const i = (this.#head + this.length) & (this.#at.length - 1);
    this.#at[i] = at;
    this.#service[i] = serviceMs;
    this.length++;
  }

  shift(): void {
    this.#head = (this.#head + 1) & (this.#at.length - 1);
    this.length--;
  }

  #double(): void {
    const size = this.#at.length;
    const at = new Float64Array(size * 2);
    const service = new Float64Array(size * 2);
    for (let i = 0; i < this.length; i++) {
      at[i] = this.#at[(this.#head + i) & (size - 1)]!;
      service[i] = this.#service[(this.#head + i) & (size - 1)]!;
    }
    this.#at = at;
    this.#service = service;
    this.#head = 0;
  }
}
