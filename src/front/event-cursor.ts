/** Where a merged stream of events stands: one cursor for each cell, in one line of text. Pure. */

/** Cell number → that cell's own cursor. */
export type Positions = ReadonlyMap<number, string>;

/** `1:1.77.3,2:1.9.1`; each cursor percent-encoded, so that commas are ours. */
export function formatPositions(positions: Positions): string {
  return [...positions].map(([number, cursor]) => `${number}:${encodeURIComponent(cursor)}`).join(',');
}

/** Reads {@link formatPositions}; undefined for anything else. */
export function parsePositions(text: string): Positions | undefined {
  const positions = new Map<number, string>();
  if (text === '') return positions;
  for (const part of text.split(',')) {
    const match = /^(\d{1,5}):(\S*)$/.exec(part);
    if (!match) return undefined;
    try {
      positions.set(Number(match[1]), decodeURIComponent(match[2] ?? ''));
    } catch {
      return undefined;
    }
  }
  return positions;
}
