/** `muster watch`: what happens, as it happens, one line an event; goes on where it was after a break. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { eventKinds, type EventKind } from '../contract/events.ts';
import { ApiError, createClient, type Client } from '../http/client.ts';
import { eventParser, type ServerEvent } from '../http/event-stream.ts';
import { chooseProfile, readProfiles } from './profile-file.ts';

export interface WatchOptions {
  readonly profileFile: string;
  readonly write: (text: string) => void;
}

/** Ms before asking again after a break. */
const pause = 2_000;

export function watchCommand({ profileFile, write }: WatchOptions): Command {
  return new Command('watch')
    .description('Follow what happens to machines, until Ctrl-C.')
    .option('--profile <name>', 'whom to ask: a profile of muster login')
    .option('--level <level>', 'only of this level and above', 'INFO')
    .action(async (options: { profile?: string; level: string }) => {
      const { url, key } = chooseProfile(await readProfiles(profileFile), options.profile);
      const client = createClient({ url, key });
      let cursor: string | undefined;
      for (;;) {
        try {
          for await (const event of follow(client, options.level, cursor)) {
            cursor = event.id ?? cursor;
            if (event.event === 'change') write(lineOf(event.data));
          }
        } catch (error) {
          // What was refused will be refused again; a break or a cell that is away will pass.
          if (error instanceof ApiError && error.status !== 0 && error.status < 500) throw error;
          write(`(${error instanceof Error ? error.message : String(error)}; trying again)\n`);
        }
        await sleep(pause);
      }
    });
}

async function* follow(client: Client, level: string, after: string | undefined): AsyncGenerator<ServerEvent> {
  const free = { level, ...(after === undefined ? {} : { after }) };
  const stream = await client.call('Events.stream', {}, {}, { free });
  const decoder = new TextDecoder();
  const parser = eventParser();
  for await (const chunk of stream) yield* parser.push(decoder.decode(chunk, { stream: true }));
}

/** One line of an event's data; text that is no event is shown as it is. */
export function lineOf(data: string): string {
  let found: Partial<Record<'at' | 'cell' | 'hostname' | 'system_id' | 'kind' | 'description', unknown>>;
  try {
    found = JSON.parse(data) as typeof found;
  } catch {
    found = { description: data };
  }
  const { at, cell, hostname, system_id, kind, description } = found ?? {};
  const title = typeof kind === 'string' && Object.hasOwn(eventKinds, kind) ? eventKinds[kind as EventKind].type : undefined;
  const words = [typeof at === 'string' ? at.slice(11, 19) : '', cell, hostname ?? system_id, title, description];
  const text = words.flatMap((word) => (typeof word === 'string' && word !== '' ? [word] : [])).join('  ');
  return `${text.replace(/[\p{Cc}\p{Cf}]/gu, ' ')}\n`;
}
