/** `muster cell list`, and how an operator says that cells and fronts stand: drained, out, in, retired. */
import { Command } from 'commander';
import { createClient, type Client } from '../http/client.ts';
import { cellTable } from './cell-table.ts';
import { confirm } from './confirm.ts';
import { chooseProfile, readProfiles } from './profile-file.ts';
import { renderTable } from './table.ts';

export interface CellCommandOptions {
  readonly profileFile: string;
  readonly write: (text: string) => void;
}

interface Flags {
  readonly profile?: string;
  readonly json?: boolean;
  readonly all?: boolean;
  readonly yes?: boolean;
}

type State = 'in' | 'drained' | 'out' | 'retired';

/** Verb → the state, what the verb is for, and what it means from then on. */
const verbs: Readonly<Record<string, { readonly state: State; readonly doc: string; readonly means: string }>> = {
  drain: {
    state: 'drained',
    doc: 'Give a cell nothing new: no machines, no allocations. It answers everything, and what runs goes on.',
    means: 'answers everything and gets nothing new; what runs goes on',
  },
  out: {
    state: 'out',
    doc: 'Say that a cell is known not to be there: nobody asks it, and nobody waits for it.',
    means: 'is asked by nobody; answers that would need it flow without it',
  },
  in: { state: 'in', doc: 'Take a drained cell, or one that was out, back into use.', means: 'is in use' },
  retire: {
    state: 'retired',
    doc: 'Say that a cell is gone for good. It must be drained or out before. Its number and name are never used again.',
    means: 'is gone for good; its number and name are not used again',
  },
};

const whom = '--profile <name>';
const whomDoc = 'whom to ask: a profile of muster login';

async function clientOf(options: CellCommandOptions, flags: Flags): Promise<Client> {
  return createClient(chooseProfile(await readProfiles(options.profileFile), flags.profile));
}

/** Header and body of a write: who has not heard of it yet is named. */
async function changed(reply: Response, name: string, means: string): Promise<string> {
  await reply.body?.cancel();
  const lagging = reply.headers.get('muster-lagging');
  return `${name} ${means}.\n${lagging === null ? '' : `Not heard of it yet: ${lagging}.\n`}`;
}

function listCommand(role: 'cell' | 'front', options: CellCommandOptions): Command {
  return new Command('list')
    .description(
      role === 'cell'
        ? 'Show every cell: how it stands, its machines by state, its load, how long ago it heard of the hub (lag), version and findings.'
        : 'Show every front: its version, and when it last asked the hub for changes.',
    )
    .option('--all', 'also those that were retired')
    .option('--json', 'print the reply as JSON')
    .option(whom, whomDoc)
    .action(async (flags: Flags) => {
      const client = await clientOf(options, flags);
      const params = flags.all === true ? { retired: true } : {};
      const list = await client.call(role === 'cell' ? 'Cells.read' : 'Fronts.read', {}, params);
      if (flags.json === true) options.write(`${JSON.stringify(list, null, 2)}\n`);
      else options.write(role === 'cell' ? cellTable(list as Parameters<typeof cellTable>[0]) : renderTable('Fronts', list));
    });
}

function standingCommand(verb: string, options: CellCommandOptions): Command {
  const { state, doc, means } = verbs[verb]!;
  const command = new Command(verb).description(doc).argument('<name>').option(whom, whomDoc);
  if (state === 'retired') command.option('--yes', 'do not ask');
  return command.action(async (name: string, flags: Flags) => {
    const client = await clientOf(options, flags);
    if (state === 'retired' && !(await confirm(`Retire cell ${name}? It cannot be taken back.`, flags.yes === true)))
      return options.write('Nothing was changed.\n');
    options.write(await changed(await client.open('Cell.update', { name }, { state }), `cell ${name}`, means));
  });
}

export function cellCommands(options: CellCommandOptions): Command[] {
  return [listCommand('cell', options), ...Object.keys(verbs).map((verb) => standingCommand(verb, options))];
}

export function frontCommands(options: CellCommandOptions): Command[] {
  const retire = new Command('retire')
    .description('Say that a front is gone for good: cells refuse what it says of callers from then on.')
    .argument('<name>')
    .option('--yes', 'do not ask')
    .option(whom, whomDoc)
    .action(async (name: string, flags: Flags) => {
      const client = await clientOf(options, flags);
      if (!(await confirm(`Retire front ${name}? It cannot be taken back.`, flags.yes === true)))
        return options.write('Nothing was changed.\n');
      const reply = await client.open('Front.update', { name }, { state: 'retired' });
      options.write(await changed(reply, `front ${name}`, 'is gone for good; no cell believes it any more'));
    });
  return [listCommand('front', options), retire];
}
