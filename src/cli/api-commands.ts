/** The commands that call an API, made from the route table: `muster machines read`, `muster machine deploy SYSTEM_ID distro_series=…`. */
import { Command } from 'commander';
import { pathNames, type Param, type Route } from '../contract/route.ts';
import { aliases, routes, type RouteId } from '../contract/routes.ts';
import { createClient, type CallOptions, type Client } from '../http/client.ts';
import { bulkText, idsFrom, watchBulk, type BulkReply } from './bulk-report.ts';
import { commandName } from './command-name.ts';
import { readKeyValues } from './key-value.ts';
import { chooseProfile, readProfiles } from './profile-file.ts';
import { renderReply, shown } from './table.ts';

export interface ApiCommandOptions {
  readonly profileFile: string;
  readonly write: (text: string) => void;
}

/** Documents about the API and second paths of one resource are nothing to call by hand; `own` routes are how programs speak to each other. */
const hidden: ReadonlySet<string> = new Set(['Describe', 'OpenApi', ...Object.keys(aliases)]);

/** The routes that are commands, by handler. */
export function commandRoutes(): Map<string, [RouteId, Route][]> {
  const shown = (Object.entries(routes) as [RouteId, Route][]).filter(
    ([, route]) => route.base === 'api' && route.reach !== 'own' && !hidden.has(route.handler),
  );
  return Map.groupBy(shown, ([, route]) => route.handler);
}

/** Adds a command for every resource; one that is there already (`cell`) gets the resource's actions too. */
export function addApiCommands(program: Command, options: ApiCommandOptions): void {
  for (const [handler, actions] of commandRoutes()) {
    const name = commandName(handler);
    const there = program.commands.find((one) => one.name() === name);
    const command =
      there ??
      program
        .command(name)
        .description(actions[0]?.[1].resourceDoc ?? '')
        .helpGroup('Calling an API');
    for (const [id, route] of actions) command.addCommand(actionCommand(id, route, options));
  }
}

function actionCommand(id: RouteId, route: Route, { profileFile, write }: ApiCommandOptions): Command {
  const blanks = pathNames(route.path);
  const [title = '', ...more] = route.doc.split('\n\n');
  const command = new Command(commandName(route.action)).summary(title).description([title, ...more].join('\n\n'));
  for (const blank of blanks) command.argument(`<${blank}>`);
  if (route.raw) command.argument('[file]', 'the file to send');
  else if (route.free || Object.keys(route.params).length > 0)
    command.argument('[key=value...]', 'parameters; key@=FILE takes the text of a file');
  command
    .option('--profile <name>', 'whom to ask: a profile of muster login')
    .option('--cell <name>', 'through a front: this cell alone')
    .option('--json', 'print the reply as JSON');
  const isBulk = route.strangers === 'told';
  if (isBulk)
    command
      .option('--from <file>', 'read the system_ids of the machines from a file, - for standard input')
      .option('--watch', 'print how far the work has come until it has ended');
  const lines = Object.entries(route.params).map(([name, param]) => paramLine(name, param));
  if (lines.length > 0) command.addHelpText('after', `\nParameters:\n${lines.join('\n')}`);
  command.action(async (...given: unknown[]) => {
    const { profile, cell, json, from, watch } = command.opts<Chosen>();
    const { url, key } = chooseProfile(await readProfiles(profileFile), profile);
    const path = Object.fromEntries(blanks.map((blank, index) => [blank, String(given[index])]));
    const words = given[blanks.length];
    const named = from === undefined ? [] : (await idsFrom(from)).map((id) => `machines=${id}`);
    const call: CallOptions = {
      free: await readKeyValues([...(Array.isArray(words) ? (words as string[]) : []), ...named]),
      ...(cell === undefined ? {} : { cell }),
    };
    const client = createClient({ url, key });
    if (isBulk && json !== true) await runBulk(client, id, call, watch === true, write);
    else await runRoute(client, id, route, path, call, json === true, write);
  });
  return command;
}

function paramLine(name: string, param: Param): string {
  const shape = param.schema as { patternProperties?: unknown; enum?: readonly unknown[] };
  const shown = shape.patternProperties === undefined ? name : `${name}_KEY`;
  const choice = shape.enum === undefined ? '' : ` One of: ${shape.enum.join(', ')}.`;
  return `  ${shown.padEnd(26)} ${param.required ? 'Required. ' : ''}${param.doc}${choice}`;
}

interface Chosen {
  readonly profile?: string;
  readonly cell?: string;
  readonly json?: boolean;
  readonly from?: string;
  readonly watch?: boolean;
}

/** @throws Error after everything was printed, when a machine was not done: the exit code says so. */
async function runBulk(client: Client, id: RouteId, call: CallOptions, watches: boolean, write: (text: string) => void): Promise<void> {
  const reply = (await client.call(id, {} as never, {} as never, call)) as unknown as BulkReply;
  write(bulkText(reply));
  const isWork = reply.outcomes.some((one) => one.operation !== null);
  const failed = watches && isWork ? await watchBulk(client, reply.bulk, write) : 0;
  const left = reply.refused + reply.unknown;
  if (left > 0) throw new Error(`${left} of ${reply.outcomes.length} machines were not done.`);
  if (failed > 0)
    throw new Error(`${failed} operations did not come to a good end: muster operations read bulk=${shown(reply.bulk)} outcome=failed`);
}

/** Everything but the id travels as text: the API decodes it by the same schemas, and says which parameter is wrong. */
async function runRoute(
  client: Client,
  id: RouteId,
  route: Route,
  path: Readonly<Record<string, string>>,
  call: CallOptions,
  json: boolean,
  write: (text: string) => void,
): Promise<void> {
  const reply = (await client.call(id, path as never, {} as never, call)) as unknown;
  if (reply instanceof ReadableStream) {
    const decoder = new TextDecoder();
    for await (const chunk of reply as ReadableStream<Uint8Array>) write(decoder.decode(chunk, { stream: true }));
  } else if (reply instanceof Uint8Array) process.stdout.write(reply);
  else write(json ? `${JSON.stringify(reply, null, 2)}\n` : renderReply(route.handler, reply));
}
