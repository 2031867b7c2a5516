/** Signing in to the web page: a session is signed by the hub, lasts at most 15 minutes, and anyone with the hub's public key can check it. */
import { Type } from 'typebox';
import { post, put, remove, required, resource } from '../route.ts';
import { Instant, Nothing } from './field.ts';

export const Session = Type.Object({
  /** Also set as a cookie that scripts of the page cannot read. */
  session: Type.String(),
  username: Type.String(),
  is_superuser: Type.Boolean(),
  expires: Instant,
});

export const sessions = {
  ...resource(
    'Session',
    'session/',
    'Being signed in.',
    {
      create: post({
        doc: 'Sign in with a name and a password.',
        params: {
          username: required(Type.String({ maxLength: 150 }), 'The name of the user.'),
          password: required(Type.String({ maxLength: 1024 }), 'The password.'),
        },
        reply: Session,
        errors: ['bad_login', 'too_many', 'hub_absent'],
        policy: 'anonymous',
        reach: 'hub',
      }),
      renew: put({
        doc: 'Stay signed in: trade a session that still lasts for a fresh one.',
        reply: Session,
        errors: ['unauthorized', 'hub_absent'],
        policy: 'user',
        reach: 'hub',
      }),
      delete: remove({ doc: 'Sign out.', reply: Nothing, status: 204, type: 'none', policy: 'user', reach: 'hub' }),
    },
    'accounts',
  ),
};
