/** Signing in with a password: for an API key (`accounts/authenticate/`, python-libmaas), or for a session (the web page). */
import { fail } from '../../contract/errors.ts';
import type { CallRequest, Handlers } from '../../http/handler.ts';
import { readVerifier } from '../db/verifier-store.ts';
import type { GlobalDb } from '../db/document-store.ts';
import { clientAddress } from '../client-address.ts';
import type { BodyOf } from '../kinds.ts';
import { checkPassword } from '../password.ts';
import { mintSession, readSession, sessionCookieHeader, sessionOfCookies, sessionSeconds, type SessionKey } from '../session.ts';
import { SignInAttempts } from '../sign-in-attempts.ts';
import type { SigningKey } from '../signing-key.ts';
import { single } from '../authentication.ts';
import { addToken, newTokenBody } from './account.ts';
import { authorityOf, commit, type GlobalReads, type WritesTo } from './context.ts';

export interface SignInOptions {
  /** Where the verifiers are. */
  readonly db: GlobalDb;
  /** The key that signs sessions; a function where it may change. */
  readonly key: SigningKey | (() => SigningKey);
  /** Keys whose sessions count; left out: that one. */
  readonly sessionKeys?: () => readonly SessionKey[];
}

const signingKey = ({ key }: SignInOptions): SigningKey => (typeof key === 'function' ? key() : key);
const sessionKeysOf = (options: SignInOptions): readonly SessionKey[] =>
  options.sessionKeys?.() ?? [{ key: signingKey(options).publicKey }];

/** Did the browser come over TLS? A front or proxy says how; its own connection to us says nothing of the browser's. */
function overTls(request: CallRequest): boolean {
  return (single(request, 'x-forwarded-proto') ?? new URL(request.origin).protocol.slice(0, -1)) === 'https';
}

type SignInRoutes = 'Authenticate.create' | 'Session.create' | 'Session.renew' | 'Session.delete';

/** Handlers of the authority; a replica answers these with a refusal (`options` left out). */
export function signIn(to: WritesTo, { reader }: GlobalReads, options: SignInOptions | undefined): Handlers<SignInRoutes> {
  const attempts = new SignInAttempts();

  const verify = async (request: CallRequest, username: string, password: string): Promise<BodyOf<'user'>> => {
    authorityOf(to);
    if (!options) throw new Error('signing in needs the verifiers');
    const address = clientAddress(request, reader, Date.now());
    const giveBack = attempts.begin(username, address, Date.now());
    const user = reader.named('user', username);
    let isWrong = false;
    try {
      const fits = await checkPassword(password, user && (await readVerifier(options.db, user.id)));
      if (user && fits) return user;
      isWrong = true;
    } finally {
      if (!isWrong) giveBack();
    }
    throw fail('bad_login');
  };

  const open = (request: CallRequest, reply: { header(name: string, value: string): void }, user: BodyOf<'user'>, session?: string) => {
    authorityOf(to);
    if (!options) throw new Error('a session needs a key to be signed with');
    const now = Date.now();
    const text = mintSession(signingKey(options).privateKey, user, now, session);
    reply.header('set-cookie', sessionCookieHeader(text, overTls(request)));
    const expires = new Date((Math.floor(now / 1000) + sessionSeconds) * 1000).toISOString();
    return { session: text, username: user.username, is_superuser: user.is_superuser, expires };
  };

  /** The session that came with the request, whoever the caller is by other means. */
  const current = (request: CallRequest) => {
    const bearer = /^Bearer\s+(\S+)$/i.exec(single(request, 'authorization') ?? '')?.[1];
    const text = bearer ?? sessionOfCookies(single(request, 'cookie') ?? '');
    return text === undefined || !options ? undefined : readSession(text, sessionKeysOf(options), reader, Date.now());
  };

  return {
    'Authenticate.create': async (call) => {
      const { username, password, consumer } = call.params;
      const user = await verify(call.request, username, password);
      const name = consumer ?? 'MAAS consumer';
      // The caller of this route is anonymous; the log says who it turned out to be.
      const signed = { caller: { kind: 'user', username: user.username }, reply: call.reply };
      const key = await commit(to, signed, 'access', (draft) => addToken(draft, user.id, name, consumer !== undefined));
      return newTokenBody(key, name);
    },
    'Session.create': async (call) =>
      open(call.request, call.reply, await verify(call.request, call.params.username, call.params.password)),
    'Session.renew': (call) => {
      authorityOf(to);
      const session = current(call.request);
      // An API key is no session: what was minted from it would outlive its revocation.
      if (!session || session.user.id !== call.caller.userId) throw fail('unauthorized');
      return open(call.request, call.reply, session.user, session.claims.session);
    },
    'Session.delete': async (call) => {
      authorityOf(to);
      const session = current(call.request);
      if (session) {
        const body = { user: session.user.id, until: session.claims.until };
        await commit(to, call, 'access', (draft) => draft.put('revocation', session.claims.session, body));
      }
      call.reply.header('set-cookie', sessionCookieHeader('', overTls(call.request)));
    },
  };
}
