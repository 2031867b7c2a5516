/** Which cells an allocation asks, and in what order. Pure but for the dice. */
import { createHash } from 'node:crypto';
import type { CellEntry } from './cell-registry.ts';

/** 0 ≤ x < 1. */
export type Dice = () => number;

export function shuffled<T>(items: readonly T[], dice: Dice = Math.random): T[] {
  const all = [...items];
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = Math.floor(dice() * (at + 1));
    [all[at], all[other]] = [all[other]!, all[at]!];
  }
  return all;
}

/**
 * The cells in the order in which they are the home of a key (rendezvous hashing): every front finds the same first one, and when a cell joins
 * or goes, no key moves but to the one or away from the other.
 */
export function homesOf<C extends Pick<CellEntry, 'number'>>(cells: readonly C[], user: string, key: string): C[] {
  const weight = ({ number }: C) =>
    createHash('sha256')
      .update(JSON.stringify([number, user, key]))
      .digest('hex');
  return cells
    .map((cell) => ({ cell, weight: weight(cell) }))
    .sort((a, b) => (a.weight < b.weight ? -1 : 1))
    .map(({ cell }) => cell);
}
