/** The caller's SSL keys. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { parseCertificate } from '../certificate-text.ts';
import type { Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { commit, idOfPath, uri, type GlobalReads, type WritesTo } from './context.ts';

/** Every program holds all of them in memory. */
const mostKeys = 100;

function sslKeyBody({ id, key }: BodyOf<'sslkey'>) {
  return { id, key, resource_uri: uri('account', 'prefs', 'sslkeys', id) };
}

function findOwn(reading: Pick<Reading, 'get'>, id: string, userId: number): BodyOf<'sslkey'> {
  const key = reading.get('sslkey', idOfPath(id));
  if (!key) throw fail('not_found', { what: 'SSLKey' });
  if (key.user !== userId) throw fail('forbidden');
  return key;
}

export function sslKeyReads({ reader }: GlobalReads): Handlers<'SSLKeys.read' | 'SSLKey.read'> {
  return {
    'SSLKeys.read': ({ caller }) =>
      reader
        .list('sslkey')
        .filter((key) => key.user === caller.userId)
        .map(sslKeyBody),
    'SSLKey.read': ({ path, caller }) => sslKeyBody(findOwn(reader, path.id, caller.userId)),
  };
}

export function sslKeyWrites(to: WritesTo): Handlers<'SSLKeys.create' | 'SSLKey.delete'> {
  return {
    'SSLKeys.create': (call) =>
      commit(to, call, 'access', async (draft) => {
        const parsed = parseCertificate(call.params.key);
        if (!parsed) throw invalid({ key: ['Invalid SSL key: one X.509 certificate in PEM is meant.'] });
        const user = call.caller.userId;
        const own = draft.list('sslkey').filter((key) => key.user === user);
        if (own.some((key) => parseCertificate(key.key)?.fingerprint === parsed.fingerprint))
          throw invalid({ __all__: ['This key has already been added for this user.'] });
        if (own.length >= mostKeys) throw fail('bad_request', { reason: `This user has ${mostKeys} SSL keys, which is the limit.` });
        const key = { id: await draft.drawId(), user, key: parsed.pem };
        draft.put('sslkey', key.id, key);
        return sslKeyBody(key);
      }),
    'SSLKey.delete': (call) =>
      commit(to, call, 'access', (draft) => draft.retire('sslkey', findOwn(draft, call.path.id, call.caller.userId).id)),
  };
}
