/** Files: small things that a user's programs keep here, such as Juju's bootstrap state. Each user has their own. */
import { Type } from 'typebox';
import { get, optional, post, remove, required, resource } from '../route.ts';
import { Nothing } from './field.ts';

/** Files are global, so that every program of the fleet has all of them in memory: they are bounded. Bytes, and numbers of files. */
export const fileLimits = { file: 1 << 20, user: 8 << 20, everybody: 64 << 20, filesOfUser: 1_000 } as const;

const listed = { filename: Type.String(), anon_resource_uri: Type.String(), resource_uri: Type.String() };
/** As lists have it. */
const ListedFile = Type.Object(listed);
/** `content` is base64. */
export const File = Type.Object({ ...listed, content: Type.String() });

const filename = required(
  Type.String({ minLength: 1, maxLength: 255, pattern: '^(?!\\.{1,2}$)[^/\\u0000-\\u001f\\u007f]+$' }),
  'The name of the file: no slashes, no control characters.',
);

export const files = {
  ...resource('Files', 'files/', "The caller's files.", {
    read: get({
      doc: 'List the files of the caller by name, without what is in them.',
      params: { prefix: optional(Type.String({ maxLength: 255 }), 'Only those whose names begin so.') },
      reply: Type.Array(ListedFile),
      policy: 'user',
      reach: 'hub',
    }),
    create: post({
      doc: 'Store a file, or put something else into one.\n\nAt most 1 MiB a file, 1,000 files and 8 MiB a user, 64 MiB in all.',
      params: {
        filename,
        file: optional(
          Type.String({ maxLength: fileLimits.file, contentMediaType: 'application/octet-stream' }),
          'Required. What is in it: one part with a file.',
        ),
      },
      reply: Type.Literal('Created'),
      status: 201,
      type: 'text',
      errors: ['bad_request'],
      policy: 'user',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Delete a file.',
      params: { filename },
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
    get: get({
      op: 'get',
      doc: 'Read the bytes of a file.',
      params: { filename },
      reply: Type.Unknown(),
      type: 'binary',
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
    get_by_key: get({
      op: 'get_by_key',
      doc: 'Read the bytes of a file by its key.\n\nWhoever has the key, which is in anon_resource_uri, may read it without signing in.',
      params: { key: required(Type.String({ minLength: 1, maxLength: 64 }), 'The key of the file.') },
      reply: Type.Unknown(),
      type: 'binary',
      errors: ['not_found'],
      policy: 'anonymous',
      reach: 'hub',
    }),
  }),
  ...resource('File', 'files/{filename}/', "One of the caller's files.", {
    read: get({ doc: 'Read a file; what is in it comes as base64.', reply: File, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    delete: remove({
      doc: 'Delete a file.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
};
