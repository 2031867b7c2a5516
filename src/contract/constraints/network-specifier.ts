/**
 * How constraints name networks: `space:storage`, `vid:10`, `cidr:10.0.0.0/24`, or a bare value (maas-api.md §1.5). A specifier of one kind
 * may go through another: `vlan:fabric:east` is a VLAN of the fabric `east`. Pure; what networks there are is asked by the database.
 */

export type NetworkKind = 'subnet' | 'vlan' | 'fabric' | 'space' | 'interface';

/** What one network must be. `none`: in no space. `cidr` and `ip` are as they were given. */
export type Specifier =
  | { readonly is: 'id' | 'vid'; readonly value: number }
  | { readonly is: 'name' | 'cidr' | 'ip' | 'mac'; readonly value: string }
  | { readonly is: 'none' }
  | { readonly is: NetworkKind; readonly that: Specifier };

/** What each kind of network can be named by besides a bare value. */
const words: Readonly<Record<NetworkKind, { readonly own: readonly string[]; readonly through: readonly NetworkKind[] }>> = {
  subnet: { own: ['id', 'name', 'cidr', 'ip', 'vid'], through: ['vlan', 'space', 'fabric', 'interface'] },
  vlan: { own: ['id', 'name', 'vid'], through: ['fabric', 'subnet', 'space'] },
  fabric: { own: ['id', 'name'], through: ['vlan', 'subnet'] },
  space: { own: ['id', 'name'], through: [] },
  interface: { own: ['id', 'name', 'mac'], through: ['vlan', 'fabric', 'space'] },
};

/** How often a specifier may go through another kind: every step is one more look into a table. */
const deepest = 3;
const vidRange = 'VLAN tag (VID) out of range (0-4094; 0 for untagged.)';

export type Parsed<T> = { readonly value: T } | { readonly error: string };

function numberOf(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `undefined` and MAAS's -1 are the space of networks that are in none. */
function isNoSpace(kind: NetworkKind, text: string): boolean {
  return kind === 'space' && (text === 'undefined' || text === '-1');
}

function bare(kind: NetworkKind, text: string): Parsed<Specifier> {
  if (isNoSpace(kind, text)) return { value: { is: 'none' } };
  const id = numberOf(text);
  if (id !== undefined) return { value: { is: 'id', value: id } };
  if (kind === 'vlan' && text === 'untagged') return { value: { is: 'vid', value: 0 } };
  if (kind === 'subnet' && /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(text)) return { value: { is: 'cidr', value: text } };
  return { value: { is: 'name', value: text } };
}

function own(word: string, kind: NetworkKind, rest: string): Parsed<Specifier> {
  if (word === 'id') {
    if (isNoSpace(kind, rest)) return { value: { is: 'none' } };
    const id = numberOf(rest);
    return id === undefined ? { error: `'${rest.slice(0, 40)}' is not an id.` } : { value: { is: 'id', value: id } };
  }
  if (word === 'vid') {
    const vid = rest === 'untagged' ? 0 : numberOf(rest);
    return vid === undefined || vid > 4094 ? { error: vidRange } : { value: { is: 'vid', value: vid } };
  }
  return { value: { is: word as 'name' | 'cidr' | 'ip' | 'mac', value: rest } };
}

/** One specifier of a network of this kind. What begins with no known word is a bare value, so that IPv6 networks and odd names are none. */
export function parseSpecifier(kind: NetworkKind, text: string, depth = 0): Parsed<Specifier> {
  const trimmed = text.trim();
  if (trimmed === '') return { error: 'A network has no name.' };
  const at = trimmed.indexOf(':');
  const word = trimmed.slice(0, Math.max(0, at)).toLowerCase();
  const rest = trimmed.slice(at + 1).trim();
  const known = words[kind];
  const through = known.through.find((one) => one === word);
  if (through === undefined && !known.own.includes(word)) return bare(kind, trimmed);
  if (rest === '') return { error: `${word}: says nothing.` };
  if (through === undefined) return own(word, kind, rest);
  if (depth >= deepest) return { error: 'This goes through too many networks.' };
  const that = parseSpecifier(through, rest, depth + 1);
  return 'error' in that ? that : { value: { is: through, that: that.value } };
}

/** A specifier in full, as {@link parseSpecifier} reads it. */
export function renderSpecifier(specifier: Specifier): string {
  if (specifier.is === 'none') return 'undefined';
  if ('that' in specifier) return `${specifier.is}:${renderSpecifier(specifier.that)}`;
  return `${specifier.is}:${specifier.value}`;
}
