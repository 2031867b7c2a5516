/** What a cell had while it stood alone becomes the hub's: by an admin's hand, global kinds only, the hub's own staying as it is. */
import { Compile } from 'typebox/compile';
import { fail } from '../../contract/errors.ts';
import { HandedOver, handedKinds } from '../../contract/resources/hand-over.ts';
import type { Handlers } from '../../http/handler.ts';
import { commit, type GlobalAuthority } from '../../global/api/context.ts';
import type { Authority } from '../../global/authority.ts';
import { putVerifier } from '../../global/db/verifier-store.ts';
import { planHandOver, stageHandOver, type HandedDocument } from '../../global/hand-over.ts';
import { isVerifier } from '../../global/password.ts';
import type { Static } from 'typebox';

const check = Compile(HandedOver);

/** Of both operations: scripts are what is large in it. */
export const handOverBytes = 64 << 20;

/** What one document may have; routes that write a single one take 4 MiB. */
const documentBytes = 16 << 20;

function read(body: Buffer | undefined): Static<typeof HandedOver> {
  let value: unknown;
  try {
    value = JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    throw fail('bad_request', { reason: 'The body is no JSON.' });
  }
  if (!check.Check(value)) {
    const [first] = check.Errors(value);
    throw fail('bad_request', {
      reason: `The body is not cell and documents: ${first?.instancePath ?? ''} ${first?.message ?? ''}`.trim(),
    });
  }
  // The feed carries a document in one batch. Everything else is cut into as many batches as it takes.
  const large = value.documents.find(({ body: one }) => Buffer.byteLength(JSON.stringify(one)) > documentBytes);
  if (large) throw fail('bad_request', { reason: `The ${large.kind} ${large.id} is larger than ${documentBytes} bytes.` });
  const bad = value.documents.find(({ verifier }) => verifier !== undefined && !isVerifier(verifier));
  if (bad) throw fail('bad_request', { reason: `The verifier of user ${bad.id} is none.` });
  return { cell: value.cell, documents: inOrder(value.documents) };
}

/** Users before their keys, whatever the order they came in; each once. */
function inOrder(documents: readonly HandedDocument[]): HandedDocument[] {
  const once = new Map(documents.map((document) => [`${document.kind}\n${document.id}`, document]));
  return [...once.values()].toSorted((a, b) => handedKinds.indexOf(a.kind) - handedKinds.indexOf(b.kind));
}

export function handOverHandlers(authority: Authority, to: GlobalAuthority): Handlers<'GlobalObjects.plan' | 'GlobalObjects.import'> {
  const { memory } = authority;
  return {
    'GlobalObjects.plan': ({ body }) => planHandOver(memory, read(body).documents),
    'GlobalObjects.import': async (call) => {
      const { cell, documents } = read(call.body);
      const caller = { ...call.caller, username: `${call.caller.username}, for cell ${cell}` };
      const by = { caller, reply: call.reply };
      // Two streams, two transactions: a crash between them leaves the first done, and the same call again finds it so.
      const config = await commit(to, by, 'config', (draft) => stageHandOver(draft, 'config', documents, async () => undefined));
      const access = await commit(to, by, 'access', (draft) =>
        stageHandOver(draft, 'access', documents, async (id, { verifier }) => {
          if (verifier !== undefined) await putVerifier(draft.db, id, verifier);
        }),
      );
      const items = [...config, ...access];
      const now = items.flatMap(({ kind, to: id }) => {
        const body = id === null ? undefined : memory.get(kind, id);
        return body && id !== null ? [{ kind, id, body }] : [];
      });
      return { items, documents: now };
    },
  };
}
