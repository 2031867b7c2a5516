/** Files of users. A file keeps its key when something else is put into it, and nothing of it stays when it is deleted. */
import { randomUUID } from 'node:crypto';
import { fail } from '../../contract/errors.ts';
import { fileLimits } from '../../contract/resources/files.ts';
import type { Handlers } from '../../http/handler.ts';
import type { UploadedFile } from '../../http/form.ts';
import { bytes } from '../../http/reply.ts';
import { emptyLoggedFiles } from '../db/document-store.ts';
import type { Draft, Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { commit, uri, type GlobalReads, type WritesTo } from './context.ts';

type File = BodyOf<'file'>;
type Entry = readonly [key: string, file: File];

function listedBody([key, { filename }]: Entry) {
  return { filename, anon_resource_uri: `${uri('files')}?op=get_by_key&key=${key}`, resource_uri: uri('files', filename) };
}

function ownOf(reading: Pick<Reading, 'entries'>, user: number): Entry[] {
  return reading.entries('file').filter(([, file]) => file.user === user);
}

function find(reading: Pick<Reading, 'entries'>, user: number, filename: string): Entry {
  const found = ownOf(reading, user).find(([, file]) => file.filename === filename);
  if (!found) throw fail('not_found', { what: 'FileStorage' });
  return found;
}

const bytesOf = ({ content }: File) => bytes(Buffer.from(content, 'base64'));

export function fileReads({ reader }: GlobalReads): Handlers<'Files.read' | 'Files.get' | 'Files.get_by_key' | 'File.read'> {
  return {
    'Files.read': ({ params, caller }) =>
      ownOf(reader, caller.userId)
        .filter(([, { filename }]) => filename.startsWith(params.prefix ?? ''))
        .toSorted(([, a], [, b]) => (a.filename < b.filename ? -1 : 1))
        .map(listedBody),
    'Files.get': ({ params, caller }) => bytesOf(find(reader, caller.userId, params.filename)[1]),
    'Files.get_by_key': ({ params }) => {
      const file = reader.get('file', params.key);
      if (!file || !reader.get('user', file.user)) throw fail('not_found', { what: 'FileStorage' });
      return bytesOf(file);
    },
    'File.read': ({ path, caller }) => {
      const [key, file] = find(reader, caller.userId, path.filename);
      return { ...listedBody([key, file]), content: file.content };
    },
  };
}

/** The bytes that were sent, as one part with a file or as text. @throws Failure `bad_request` */
function contentOf(files: readonly UploadedFile[], text: string | undefined): Buffer {
  const sent = files.map((file) => file.data);
  if (sent.length > 1) throw fail('bad_request', { reason: 'Exactly one file must be supplied.' });
  const content = sent[0] ?? (text === undefined ? undefined : Buffer.from(text, 'utf8'));
  if (content === undefined) throw fail('bad_request', { reason: 'File not supplied.' });
  if (content.length > fileLimits.file) throw fail('bad_request', { reason: `A file has at most ${fileLimits.file} bytes.` });
  return content;
}

async function put(draft: Draft, file: File): Promise<void> {
  const others = draft.entries('file').filter(([, one]) => one.user !== file.user || one.filename !== file.filename);
  const own = others.filter(([, one]) => one.user === file.user);
  const sum = (entries: readonly Entry[]) => entries.reduce((total, [, { size }]) => total + size, file.size);
  if (own.length >= fileLimits.filesOfUser) throw fail('bad_request', { reason: `A user has at most ${fileLimits.filesOfUser} files.` });
  if (sum(own) > fileLimits.user)
    throw fail('bad_request', { reason: `The files of a user have at most ${fileLimits.user} bytes in all.` });
  if (sum(others) > fileLimits.everybody)
    throw fail('bad_request', { reason: `The files of all users have at most ${fileLimits.everybody} bytes in all.` });
  const [key] = ownOf(draft, file.user).find(([, one]) => one.filename === file.filename) ?? [randomUUID()];
  await emptyLoggedFiles(draft.db, [key]);
  draft.put('file', key, file);
}

/** A retired document keeps its last body, and the log those before; what was in the file is not to stay. */
async function retire(draft: Draft, entries: readonly Entry[]): Promise<void> {
  const keys = entries.map(([key]) => key);
  await emptyLoggedFiles(draft.db, keys);
  for (const [key, file] of entries) {
    draft.put('file', key, { ...file, content: '', size: 0 });
    draft.retire('file', key);
  }
}

/** Stage the end of all files of a user. */
export function retireFilesOf(draft: Draft, user: number): Promise<void> {
  return retire(draft, ownOf(draft, user));
}

export function fileWrites(to: WritesTo): Handlers<'Files.create' | 'Files.delete' | 'File.delete'> {
  return {
    'Files.create': async (call) => {
      const { filename, file: text } = call.params;
      const content = contentOf(call.files, text);
      const file = { filename, user: call.caller.userId, content: content.toString('base64'), size: content.length };
      await commit(to, call, 'config', (draft) => put(draft, file));
      return 'Created' as const;
    },
    'Files.delete': (call) => commit(to, call, 'config', (draft) => retire(draft, [find(draft, call.caller.userId, call.params.filename)])),
    'File.delete': (call) => commit(to, call, 'config', (draft) => retire(draft, [find(draft, call.caller.userId, call.path.filename)])),
  };
}
