/**
 * Tags with a definition, for the cell's loop. Global config says what the definitions are, the table of judgements by which of them this
 * cell's machines have been judged; the difference is the work. Killed at any moment it begins that tag again; what it finds is written in
 * one transaction, so that a tag is never half judged.
 */
import type { GlobalReader } from '../global/document.ts';
import type { BodyOf } from '../global/kinds.ts';
import type { TagJudge, Verdict } from '../global/tag-judge.ts';
import type { Database } from '../postgres/database.ts';
import { openFinding, openFindings, resolveFindings } from './db/finding-store.ts';
import type { CellTables } from './db/schema.ts';
import {
  documentsBehind,
  forgetJudgements,
  judgeAgain,
  keepJudgement,
  leaveJudgement,
  markJudged,
  readJudgements,
  renewJudgement,
  setMembers,
  takeJudgement,
  unjudged,
  type DocumentsOfMachine,
  type KeptJudgement,
} from './db/tag-judgement-store.ts';
import type { CellDb } from './db/cell-db.ts';

type Tag = BodyOf<'tag'>;

/** Machines read at once: their documents are up to 1 MB each, most about 40 kB. */
const machinesAtOnce = 20;

export interface TagCareOptions {
  readonly database: Database<CellTables>;
  readonly global: Pick<GlobalReader, 'list'>;
  readonly judge: Pick<TagJudge, 'judge'>;
  readonly signal?: AbortSignal;
  /** Named points where a test may kill the process. */
  readonly killPoint?: (name: string) => void;
}

const rebuildsOf = (tag: Tag): number => tag.rebuilds ?? 0;

/** Is there nothing to do about this tag but to look at machines that change? */
function isJudged(tag: Tag, row: KeptJudgement | undefined): boolean {
  return row !== undefined && !row.due && row.definition === tag.definition && row.rebuilds === rebuildsOf(tag);
}

/** Of a machine whose documents cannot be read: why. They say nothing of it, nor of any definition. */
type Judged = { readonly verdicts: readonly Verdict[] } | { readonly unreadable: string };

/** What definitions say of one machine. */
function judged(judge: TagCareOptions['judge'], machine: DocumentsOfMachine, tags: readonly Tag[]): Promise<Judged> {
  const definitions = tags.map((tag) => tag.definition);
  const documents = { lshw: machine.lshw?.toString('utf8') ?? null, lldp: machine.lldp?.toString('utf8') ?? null };
  return judge.judge(documents, definitions);
}

/** Findings of machines that keep their tags because nobody can read what they have reported. */
async function tellUnread(tx: CellDb, unread: ReadonlyMap<string, string>): Promise<void> {
  const found = [...unread].map(([systemId, reason]) => ({ subject: systemId, systemId, data: { system_id: systemId, reason } }));
  await openFindings(tx, 'unreadable_hardware', found);
}

/** Do what is due; returns how much that was. */
export async function careForTags(options: TagCareOptions): Promise<number> {
  const { database, global } = options;
  const { db } = database;
  const tags = global.list('tag').filter((tag) => tag.definition !== '');
  const judgements = await readJudgements(db);
  const stale = [...judgements.keys()].filter((id) => !tags.some((tag) => tag.id === id));
  if (stale.length > 0) {
    await database.transaction(async (tx) => {
      await forgetJudgements(tx, stale);
      await resolveFindings(tx, 'tag_not_judged', stale.map(subjectOf));
    });
  }
  let done = 0;
  for (const tag of tags.filter((one) => !isJudged(one, judgements.get(one.id)))) {
    if (options.signal?.aborted) return done;
    if (await judgeAll(options, tag)) done += 1;
  }
  const now = done > 0 ? await readJudgements(db) : judgements;
  // A tag that is still to be judged, here or by another process, meets these machines then.
  const sound = tags.filter((tag) => isJudged(tag, now.get(tag.id)) && !now.get(tag.id)?.problem);
  return done + (await judgeChanged(options, sound));
}

function subjectOf(tagId: number): string {
  return `tag/${tagId}`;
}

/** All machines by one tag. False when another process is at it. */
async function judgeAll({ database, judge, signal, killPoint }: TagCareOptions, tag: Tag): Promise<boolean> {
  const { db } = database;
  const began = await takeJudgement(db, tag.id);
  if (!began) return false;
  const matching: string[] = [];
  let problem: string | undefined;
  const unread = new Map<string, string>();
  // Most machines that never reported anything are alike.
  let ofNothing: Judged | undefined;
  for (let after: string | undefined = ''; after !== undefined && problem === undefined;) {
    const page: DocumentsOfMachine[] = await documentsBehind(db, after, machinesAtOnce);
    for (const machine of page) {
      const isEmpty = machine.lshw === null && machine.lldp === null;
      const said: Judged = (isEmpty ? ofNothing : undefined) ?? (await judged(judge, machine, [tag]));
      if (isEmpty) ofNothing = said;
      if ('unreadable' in said) {
        unread.set(machine.system_id, said.unreadable);
        continue;
      }
      const [verdict] = said.verdicts;
      if (verdict?.matches === true) matching.push(machine.system_id);
      problem = verdict?.problem;
      if (problem !== undefined) break;
    }
    after = page.length < machinesAtOnce ? undefined : page.at(-1)?.system_id;
    if (signal?.aborted) {
      await leaveJudgement(db, tag.id);
      return false;
    }
    await renewJudgement(db, tag.id);
    killPoint?.('tags:page');
  }
  await database.transaction(async (tx) => {
    if (problem === undefined) {
      await setMembers(tx, tag, matching, { unread: [...unread.keys()] });
      await tellUnread(tx, unread);
      await judgeAgain(tx, began);
      await resolveFindings(tx, 'tag_not_judged', [subjectOf(tag.id)]);
    } else await tellOf(tx, tag, problem);
    await keepJudgement(tx, { tag_id: tag.id, definition: tag.definition, rebuilds: rebuildsOf(tag), problem: problem ?? null });
    killPoint?.('tags:after-effect');
  });
  return true;
}

async function tellOf(tx: CellDb, tag: Tag, problem: string): Promise<void> {
  await openFinding(tx, { kind: 'tag_not_judged', subject: subjectOf(tag.id), data: { tag: tag.name, reason: problem } });
}

/** Machines whose documents changed, by all tags that can be judged. A tag that cannot stays on them as it was. */
async function judgeChanged({ database, judge }: TagCareOptions, tags: readonly Tag[]): Promise<number> {
  const machines = await unjudged(database.db, machinesAtOnce);
  if (machines.length === 0) return 0;
  const found: { readonly machine: DocumentsOfMachine; readonly verdicts: readonly Verdict[] }[] = [];
  const unread = new Map<string, string>();
  for (const machine of machines) {
    const said = await judged(judge, machine, tags);
    if ('unreadable' in said) unread.set(machine.system_id, said.unreadable);
    else found.push({ machine, verdicts: said.verdicts });
  }
  await database.transaction(async (tx) => {
    for (const [index, tag] of tags.entries()) {
      const sound = found.filter(({ verdicts }) => verdicts[index]?.matches !== undefined).map(({ machine }) => machine.system_id);
      const matching = found.filter(({ verdicts }) => verdicts[index]?.matches === true).map(({ machine }) => machine.system_id);
      await setMembers(tx, tag, matching, { judged: sound });
      const problem = found.find(({ verdicts }) => verdicts[index]?.problem !== undefined)?.verdicts[index]?.problem;
      if (problem === undefined) continue;
      await tellOf(tx, tag, problem);
      await keepJudgement(tx, { tag_id: tag.id, definition: tag.definition, rebuilds: rebuildsOf(tag), problem });
    }
    await tellUnread(tx, unread);
    await markJudged(tx, machines);
  });
  return machines.length;
}
