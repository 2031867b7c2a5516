/**
 * What documents look like for programs of the version before. A change of a kind's body that an older program could not read is entered
 * here with the way back; the hub undoes it in everything it emits until no member runs a version before it (architecture §7).
 * New optional fields and new kinds need no step: they are stored and left unread.
 */

export interface ShapeStep {
  readonly kind: string;
  /** The version that first writes and reads the new body: `1.4.0`. */
  readonly since: string;
  /** The body as programs before `since` read it. */
  readonly undo: (body: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
}

/** Oldest first. Empty so far: no version has been published yet. A step may go when nobody can run a version before it. */
export const shapeSteps: readonly ShapeStep[] = [];

/** Negative when `a` is older than `b`: number by number; what is missing counts as 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(/[-+]/, 1)[0]!.split('.').map(Number));
  for (let at = 0; at < Math.max(left!.length, right!.length); at += 1) {
    const difference = (left![at] || 0) - (right![at] || 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The oldest of the members' versions; undefined when there is none. A text that is no version is of nobody who needs an older shape. */
export function oldestVersion(versions: Iterable<string>): string | undefined {
  let oldest: string | undefined;
  for (const version of versions)
    if (/^\d/.test(version) && (oldest === undefined || compareVersions(version, oldest) < 0)) oldest = version;
  return oldest;
}

/** `kind@since`, by which a step is remembered. */
export function nameOfStep({ kind, since }: ShapeStep): string {
  return `${kind}@${since}`;
}

/** The steps that are to be undone while `oldest` is about, oldest first. */
export function stepsToUndo(oldest: string | undefined, steps: readonly ShapeStep[] = shapeSteps): ShapeStep[] {
  return oldest === undefined ? [] : steps.filter(({ since }) => compareVersions(oldest, since) < 0);
}

/** A body with these steps undone, the newest first. */
export function undoSteps(
  kind: string,
  body: Readonly<Record<string, unknown>>,
  undone: readonly ShapeStep[],
): Readonly<Record<string, unknown>> {
  return undone.filter((step) => step.kind === kind).reduceRight((shape, step) => step.undo(shape), body);
}
