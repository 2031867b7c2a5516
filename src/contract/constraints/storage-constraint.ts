/**
 * `storage=`: the disks that a machine must have, as `root:50(ssd),data:1000(nvme),200`: label, size in GB (10⁹ bytes), tags. The first is the
 * disk that holds `/`, the others are unused ones. The tag `partition` means an unused partition. Pure (maas-api.md §1.5).
 */
import type { Parsed } from './network-specifier.ts';

export interface StorageItem {
  /** Empty: it is asked for, and not named in the answer. */
  readonly label: string;
  /** The least number of GB, as it was written. */
  readonly size: string;
  readonly tags: readonly string[];
}

/** What is to be looked for, in the order in which devices are given to it. */
export interface StorageWish {
  readonly label: string;
  /** Bytes. */
  readonly least: number;
  readonly tags: readonly string[];
  readonly kind: 'root' | 'disk' | 'partition';
}

/** More would be more looks at every machine than is reasonable. */
const mostItems = 16;
const item = /(?:([a-zA-Z0-9]+):)?([0-9.]+)(?:\(([^)]+)\))?/;

function malformed(text: string): Parsed<never> {
  return { error: `Malformed storage constraint, "${text.slice(0, 200)}".` };
}

/** Split at the commas that are outside of parentheses. */
function parts(text: string): string[] {
  const found: string[] = [];
  let from = 0;
  let isInside = false;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') isInside = true;
    else if (text[at] === ')') isInside = false;
    else if (text[at] === ',' && !isInside) {
      found.push(text.slice(from, at));
      from = at + 1;
    }
  }
  found.push(text.slice(from));
  return found;
}

/** What does not come out as it went in is no storage constraint. */
export function parseStorage(text: string): Parsed<readonly StorageItem[]> {
  const items: StorageItem[] = [];
  for (const part of parts(text)) {
    const [whole, label = '', size = '', tags] = item.exec(part) ?? [];
    if (whole !== part || !Number.isFinite(Number(size))) return malformed(text);
    items.push({ label, size, tags: tags === undefined ? [] : tags.split(',') });
  }
  if (items.length > mostItems) return { error: `At most ${mostItems} disks and partitions can be asked for.` };
  return renderStorage(items) === text ? { value: items } : malformed(text);
}

export function renderStorage(items: readonly StorageItem[]): string {
  return items
    .map(({ label, size, tags }) => `${label === '' ? '' : `${label}:`}${size}${tags.length === 0 ? '' : `(${tags.join(',')})`}`)
    .join(',');
}

/** The most that a disk can have; what is asked for beyond it nothing has. */
const mostBytes = Number.MAX_SAFE_INTEGER;

/** `/` first; then those with the most tags, the smallest first, as nothing is left for them otherwise. */
export function storageWishes(items: readonly StorageItem[]): StorageWish[] {
  const wishes = items.map(({ label, size, tags }, at): StorageWish => {
    const wanted = tags.map((tag) => tag.trim()).filter((tag) => tag !== '');
    const isPartition = wanted.includes('partition');
    return {
      label,
      least: Math.min(mostBytes, Math.round(Number(size) * 1e9)),
      tags: wanted.filter((tag) => tag !== 'partition'),
      kind: at === 0 && !isPartition ? 'root' : isPartition ? 'partition' : 'disk',
    };
  });
  const [first, ...others] = wishes;
  const rest = others.sort((a, b) => b.tags.length - a.tags.length || a.least - b.least);
  return first === undefined ? [] : [first, ...rest];
}
