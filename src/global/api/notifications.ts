/** Notifications. What somebody has dismissed is a document of its own, so that dismissing changes nothing for the others. */
import { fail, invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Draft, Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { fillBlanks } from '../notification-text.ts';
import { retireNotification } from '../retire-notification.ts';
import { authorityOf, commit, idOfPath, uri, type GlobalReads, type WritesTo } from './context.ts';
import { userBody } from './users.ts';

type Notification = BodyOf<'notification'>;
type Given = RouteParams<'Notification.update'>;

/** Every program holds all of them in memory. */
const mostNotifications = 1_000;
const contextBytes = 4_096;
/** Characters with the blanks filled: one long word may be in many of them. */
const longestShown = 16_384;

const dismissalId = (notification: number, user: number): string => `${notification}-${user}`;

function notificationBody(reading: Pick<Reading, 'get'>, notification: Notification) {
  const user = notification.user === null ? undefined : reading.get('user', notification.user);
  const text = fillBlanks(notification.message, notification.context) ?? notification.message;
  return { ...notification, user: user ? userBody(user) : null, text, resource_uri: uri('notifications', notification.id) };
}

function find(reading: Pick<Reading, 'get'>, id: string): Notification {
  const notification = reading.get('notification', idOfPath(id));
  if (!notification) throw fail('not_found', { what: 'Notification' });
  return notification;
}

/** As in MAAS: what is for all users is not for administrators. */
function isFor(notification: Notification, { userId, admin }: { readonly userId: number; readonly admin: boolean }): boolean {
  return notification.user === userId || (admin ? notification.admins : notification.users);
}

export function notificationReads({ reader }: GlobalReads): Handlers<'Notifications.read' | 'Notification.read'> {
  return {
    'Notifications.read': ({ caller }) =>
      reader
        .list('notification')
        .filter((one) => isFor(one, caller) && !reader.get('notification_dismissal', dismissalId(one.id, caller.userId)))
        .map((one) => notificationBody(reader, one)),
    'Notification.read': ({ path, caller }) => {
      const notification = find(reader, path.id);
      if (!caller.admin && !isFor(notification, caller)) throw fail('forbidden');
      return notificationBody(reader, notification);
    },
  };
}

/** The id of the user that is named, by name or id; null for nobody. @throws Failure `invalid` */
function userIdOf(reading: Pick<Reading, 'get' | 'named'>, given: string): number | null {
  if (given === '') return null;
  const user = reading.named('user', given) ?? reading.get('user', idOfPath(given));
  if (!user) throw invalid({ user: [`No such user: '${given}'.`] });
  return user.id;
}

/** What is given over what there was. @throws Failure `invalid` */
function changed(reading: Pick<Reading, 'get' | 'named' | 'list'>, before: Notification, given: Given): Notification {
  const { user, ident, context, ...rest } = given;
  const next: Notification = {
    ...before,
    ...rest,
    ...(context === undefined ? {} : { context: Object.fromEntries(Object.entries(context)) }),
    ...(ident === undefined ? {} : { ident: ident === '' ? null : ident }),
  };
  const written = JSON.stringify(next.context);
  if (Buffer.byteLength(written) > contextBytes) throw invalid({ context: [`More than ${contextBytes} bytes.`] });
  const text = fillBlanks(next.message, next.context);
  if (text === undefined)
    throw invalid({ __all__: ['Notification cannot be rendered: its message has a blank that its context does not fill.'] });
  if (text.length > longestShown)
    throw invalid({ __all__: [`With its blanks filled the message is longer than ${longestShown} characters.`] });
  const isTaken = next.ident !== null && reading.list('notification').some((one) => one.id !== next.id && one.ident === next.ident);
  if (isTaken) throw invalid({ ident: ['Notification with this Ident already exists.'] });
  return user === undefined ? next : { ...next, user: userIdOf(reading, user) };
}

function put(draft: Draft, notification: Notification) {
  draft.put('notification', notification.id, notification);
  return notification;
}

const fresh = {
  ident: null,
  user: null,
  users: false,
  admins: false,
  message: '',
  context: {},
  category: 'info',
  dismissable: true,
} as const;

export function notificationWrites(
  to: WritesTo,
  { reader }: GlobalReads,
): Handlers<'Notifications.create' | 'Notification.update' | 'Notification.delete' | 'Notification.dismiss'> {
  const body = (notification: Notification) => notificationBody(reader, notification);
  return {
    'Notifications.create': async (call) =>
      body(
        await commit(to, call, 'config', async (draft) => {
          if (draft.list('notification').length >= mostNotifications)
            throw fail('bad_request', { reason: `There are ${mostNotifications} notifications, which is the limit. Delete some.` });
          return put(draft, changed(draft, { ...fresh, id: await draft.drawId() }, call.params));
        }),
      ),
    'Notification.update': async (call) =>
      body(await commit(to, call, 'config', (draft) => put(draft, changed(draft, find(draft, call.path.id), call.params)))),
    'Notification.delete': (call) => commit(to, call, 'config', (draft) => retireNotification(draft, find(draft, call.path.id))),
    'Notification.dismiss': async (call) => {
      authorityOf(to);
      const { caller } = call;
      await commit(to, call, 'config', (draft) => {
        const notification = find(draft, call.path.id);
        if (!isFor(notification, caller)) throw fail('forbidden');
        if (!notification.dismissable) throw fail('bad_request', { reason: 'This notification cannot be dismissed.' });
        const id = dismissalId(notification.id, caller.userId);
        if (!draft.get('notification_dismissal', id))
          draft.put('notification_dismissal', id, { notification: notification.id, user: caller.userId });
      });
      return null;
    },
  };
}
