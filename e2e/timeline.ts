/** What happened when, for one machine: printed as it comes, and as a table at the end. */

export class Timeline {
  readonly #start = Date.now();
  readonly #marks: { readonly at: number; readonly who: string; readonly what: string }[] = [];

  /** Note that something happened to `who` just now. */
  mark(who: string, what: string): void {
    const at = (Date.now() - this.#start) / 1000;
    this.#marks.push({ at, who, what });
    process.stdout.write(`${at.toFixed(1).padStart(7)} s  ${who.padEnd(6)} ${what}\n`);
  }

  /** One column of times for each of them. */
  print(): void {
    for (const who of new Set(this.#marks.map((mark) => mark.who))) {
      const marks = this.#marks.filter((mark) => mark.who === who);
      process.stdout.write(`\ntimeline of ${who}\n`);
      marks.forEach((mark, index) => {
        const since = mark.at - (marks[index - 1]?.at ?? 0);
        process.stdout.write(`  ${mark.at.toFixed(1).padStart(7)} s  (+${since.toFixed(1).padStart(6)})  ${mark.what}\n`);
      });
    }
  }
}

/** Wait until `ask` gives something, asking every half second. @throws Error that names what did not happen, and what was seen last. */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | undefined>,
  last: () => string = () => '',
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s. ${last()}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
