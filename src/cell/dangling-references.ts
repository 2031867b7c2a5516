/**
 * References to what is global and is not there any more. What is retired and can be let go of (`retireRules`) is taken off the rows that
 * name it; what remains (a race with a hub that could not be reached, a hub that was restored and has forgotten) stays on the rows, counts as
 * the default, and is a finding until it is gone.
 */
import type { Database } from '../postgres/database.ts';
import { defaultZone } from '../global/api/zones.ts';
import type { GlobalReader } from '../global/document.ts';
import { retireRules } from '../global/retire-rules.ts';
import { beginning, compareRevisions, streams } from '../global/revision.ts';
import {
  keepDangling,
  letGo,
  openDangling,
  readReferences,
  type Dangling,
  type LetGo,
  type Reference,
  type ReferredKind,
} from './db/reference-store.ts';
import type { CellTables } from './db/schema.ts';

type Known = Pick<GlobalReader, 'get' | 'named' | 'retired'>;

const words: Readonly<Record<ReferredKind, { readonly what: string; readonly meanwhile: string }>> = {
  zone: { what: 'node(s)', meanwhile: 'They count as in the default zone.' },
  pool: { what: 'machine(s)', meanwhile: 'They count as in the default pool.' },
  tag: { what: 'node(s)', meanwhile: 'They count as without it.' },
  space: { what: 'VLAN(s)', meanwhile: 'They count as in no space.' },
  user: { what: 'machine(s), device(s) or address(es)', meanwhile: 'Only an administrator can act on them.' },
};

/** What is retired or unknown among the references. Pure. */
export function judgeReferences(
  known: Known,
  references: readonly Reference[],
): { readonly go: LetGo; readonly dangling: readonly Dangling[] } {
  const go = { zones: [] as number[], tags: [] as number[], spaces: [] as number[] };
  const dangling: Dangling[] = [];
  for (const { kind, id, count } of references) {
    const isThere = kind === 'user' ? known.named('user', id) : known.get(kind, id);
    if (isThere) continue;
    const before = lastOf(known, kind, id);
    if (before !== undefined && retireRules[kind] === 'let_go') go[`${kind}s` as keyof typeof go].push(Number(id));
    else {
      const why = before === undefined ? 'this cell has never heard of' : 'is retired';
      dangling.push({ subject: `${kind}/${id}`, data: { kind, id, name: before ?? id, count, why, ...words[kind] } });
    }
  }
  return { go, dangling };
}

/** What a retired thing was called; undefined for one that was never there. */
function lastOf(known: Known, kind: ReferredKind, id: string): string | undefined {
  if (kind === 'user') return known.retired('user').find((user) => user.username === id)?.username;
  return known.retired(kind).find((body) => String(body.id) === id)?.name;
}

/**
 * Look once, and set right what is not. Two statements where nothing is wrong. Any number of processes may do it at once.
 * @returns how many findings stand after it.
 */
export async function sweepReferences(database: Database<CellTables>, reader: GlobalReader): Promise<number> {
  // A replica that has not heard from the hub yet knows nothing: nothing can be said of references.
  if (streams.some((stream) => compareRevisions(reader.revision(stream), beginning) === 0)) return 0;
  const { go, dangling } = judgeReferences(reader, await readReferences(database.db));
  if (Object.values(go).some((ids) => ids.length > 0)) {
    await letGo(database, go, defaultZone, (kind, id) => lastOf(reader, kind, String(id)) ?? String(id));
  }
  const open = await openDangling(database.db);
  const same = ({ subject, data }: Dangling): boolean => {
    const shown = open.get(subject) as Readonly<Record<string, unknown>> | undefined;
    return shown !== undefined && Object.entries(data).every(([key, value]) => shown[key] === value);
  };
  if (open.size !== dangling.length || !dangling.every(same)) await keepDangling(database, dangling);
  return dangling.length;
}
