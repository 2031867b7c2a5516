/** Writing scripts. Every text that a script gets is a document of its own, so that it can be read, fetched and gone back to. */
import { fail, invalid } from '../../contract/errors.ts';
import { hardwareTypes, parallelKinds, scriptTypes } from '../../contract/resources/scripts.ts';
import type { scriptWrites as routes } from '../../contract/resources/script-writes.ts';
import type { ParamsOf } from '../../contract/route.ts';
import { wordList } from '../../contract/word-list.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Draft } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { authorityOf, commit, type WritesTo } from './context.ts';
import { findScript, historyOf, isBuiltIn, numberIn, scriptBody } from './scripts.ts';

/** The texts that are kept of one script; all of them travel to every cell and front. */
export const mostRevisions = 20;

type Given = Partial<ParamsOf<(typeof routes)['NodeScript.update']>>;
type Script = BodyOf<'script'>;

/** `90`, `0:01:30` or `1 0:00:00` in seconds. The contract has checked its form. */
export function secondsOf(text: string): number {
  const [clock = '', days = '0'] = text.split(' ').toReversed();
  return clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400;
}

/** What parameters say of a script. Words that the contract does not know never come here. */
function propertiesOf(given: Given): Partial<Script> {
  const { title, description, tags, for_hardware, destructive, may_reboot, recommission, apply_configured_networking } = given;
  const numbers = {
    type: given.type === undefined ? undefined : numberIn(scriptTypes, given.type),
    hardware_type: given.hardware_type === undefined ? undefined : numberIn(hardwareTypes, given.hardware_type),
    parallel: given.parallel === undefined ? undefined : numberIn(parallelKinds, given.parallel),
    timeout: given.timeout === undefined ? undefined : secondsOf(given.timeout),
  };
  const lists = {
    tags: tags === undefined ? undefined : [...new Set(wordList([tags]))],
    for_hardware: for_hardware === undefined ? undefined : wordList([for_hardware]),
  };
  const all = { title, description, destructive, may_reboot, recommission, apply_configured_networking, ...numbers, ...lists };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** @throws Failure `invalid` for what no script may be. */
function refuseBad(script: Script): void {
  if (!script.script.startsWith('#!')) throw invalid({ script: ['Must start with shebang.'] });
  const isTesting = script.type === scriptTypes.testing.number;
  if (script.destructive === true && !isTesting) throw invalid({ destructive: ['Only a testing script may be destructive.'] });
}

function refuseBuiltIn(name: string): void {
  if (isBuiltIn(name)) throw invalid({ name: ['Not allowed to change on default scripts.'] });
}

/** Store a script whose text is new, and the text in its history; what the history is too long for leaves it. */
async function putText(draft: Draft, script: Script, comment: string, now: Date): Promise<Script> {
  const textsNow = () => draft.list('script_revision').filter((one) => one.script === script.id);
  // A script from before there were histories, or one that a cell has handed over: its text is the first of its own.
  const known = draft.named('script', script.name);
  if (known && textsNow().length === 0) await addRevision(draft, known, 'before there was a history', now);
  await addRevision(draft, script, comment, now);
  const texts = textsNow();
  for (const { id } of texts.toSorted((a, b) => b.id - a.id).slice(mostRevisions)) dropRevision(draft, id);
  draft.put('script', script.id, script);
  return script;
}

async function addRevision(draft: Draft, script: Script, comment: string, now: Date): Promise<void> {
  const id = await draft.drawId();
  draft.put('script_revision', id, { id, script: script.id, comment, created: now.toISOString(), text: script.script });
}

/** Retired documents stay in every snapshot: without the text they weigh nothing. */
function dropRevision(draft: Draft, id: number): void {
  const revision = draft.get('script_revision', id);
  if (!revision) return;
  draft.put('script_revision', id, { ...revision, text: '' });
  draft.retire('script_revision', id);
}

type Routes = 'NodeScripts.create' | `NodeScript.${'update' | 'delete' | 'add_tag' | 'remove_tag' | 'revert'}`;

/** `now`: for tests. */
export function scriptWrites(to: WritesTo, now: () => Date = () => new Date()): Handlers<Routes> {
  /** Change a script of the fleet's own; what `change` gives is checked and stored. */
  const changing = (
    call: Parameters<typeof commit>[1] & { readonly path: { readonly name: string } },
    change: (draft: Draft, script: Script) => Promise<Script> | Script,
  ) => {
    authorityOf(to);
    return commit(to, call, 'config', async (draft) => {
      const script = findScript(draft, call.path.name);
      refuseBuiltIn(script.name);
      return scriptBody(draft, await change(draft, script), false);
    });
  };
  const put = (draft: Draft, script: Script): Script => {
    refuseBad(script);
    draft.put('script', script.id, script);
    return script;
  };
  return {
    'NodeScripts.create': (call) =>
      commit(to, call, 'config', async (draft) => {
        const { name, script, comment = '', ...given } = call.params;
        if (name === 'none' || /^\d+$/.test(name)) throw invalid({ name: [`"${name}" is a reserved name.`] });
        if (isBuiltIn(name) || draft.named('script', name)) throw invalid({ name: ['Script with this Name already exists.'] });
        const plain = { title: '', description: '', type: scriptTypes.testing.number, tags: [], script };
        const made = { id: await draft.drawId(), name, ...plain, ...propertiesOf(given) };
        refuseBad(made);
        return scriptBody(draft, await putText(draft, made, comment, now()), false);
      }),
    'NodeScript.update': (call) =>
      changing(call, (draft, known) => {
        const { script: text, comment = '', ...given } = call.params;
        const changed = { ...known, ...propertiesOf(given), ...(text === undefined ? {} : { script: text }) };
        refuseBad(changed);
        return changed.script === known.script ? put(draft, changed) : putText(draft, changed, comment, now());
      }),
    'NodeScript.delete': async (call) => {
      authorityOf(to);
      await commit(to, call, 'config', (draft) => {
        const script = findScript(draft, call.path.name);
        if (isBuiltIn(script.name)) throw fail('bad_request', { reason: `Unable to delete ${script.name}: it comes with every cell.` });
        for (const { id } of draft.list('script_revision').filter((one) => one.script === script.id)) dropRevision(draft, id);
        draft.put('script', script.id, { ...script, script: '' });
        draft.retire('script', script.id);
      });
    },
    'NodeScript.add_tag': (call) =>
      changing(call, (draft, script) => put(draft, { ...script, tags: [...new Set([...script.tags, call.params.tag])] })),
    'NodeScript.remove_tag': (call) =>
      changing(call, (draft, script) => put(draft, { ...script, tags: script.tags.filter((tag) => tag !== call.params.tag) })),
    'NodeScript.revert': (call) =>
      changing(call, (draft, script) => {
        const { to: goal } = call.params;
        const history = historyOf(draft, script);
        const at = goal < 0 ? -goal : history.findIndex(({ id }) => id === goal);
        const found = history[at];
        if (!found) throw fail('bad_request', { reason: `Goal revision ${goal} is not in the history of this script.` });
        for (const { id } of history.slice(0, at)) dropRevision(draft, id);
        return put(draft, { ...script, script: found.text });
      }),
  };
}
