/** Notifications: what an administrator tells a user, all users, or the other administrators, until each of them dismisses it. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Nothing, nullable, oneOf } from './field.ts';
import { User } from './users.ts';

const categories = ['error', 'warning', 'success', 'info'] as const;

export const Notification = Type.Object({
  id: Id,
  ident: nullable(Type.String()),
  user: nullable(User),
  users: Type.Boolean(),
  admins: Type.Boolean(),
  message: Type.String(),
  context: Type.Object({}),
  /** The message with its blanks filled from the context. */
  text: Type.String(),
  category: oneOf(...categories),
  dismissable: Type.Boolean(),
  resource_uri: Type.String(),
});

const message = Type.String({ minLength: 1, maxLength: 4096 });
const messageDoc = 'What to say; {name} stands for what the context has under that name.';
const others = {
  context: optional(Type.Object({}), 'What the blanks of the message are filled with: a JSON object, at most 4,096 bytes.'),
  category: optional(oneOf(...categories), 'How grave it is; left out: info.'),
  ident: optional(
    Type.String({ maxLength: 40, pattern: '^[a-zA-Z0-9_.:-]*$' }),
    'A name by which programs know it again; no two have the same.',
  ),
  user: optional(Type.String({ maxLength: 150 }), 'The one user it is for: the name, or the id. Empty: no single user.'),
  users: optional(Type.Boolean(), 'Whether it is for all users who are no administrators.'),
  admins: optional(Type.Boolean(), 'Whether it is for all administrators.'),
  dismissable: optional(Type.Boolean(), 'Whether those who have read it may take it away for themselves; left out: yes.'),
};

export const notifications = {
  ...resource('Notifications', 'notifications/', 'What there is to tell the caller.', {
    read: get({
      doc: 'List the notifications for the caller that the caller has not dismissed.',
      reply: Type.Array(Notification),
      policy: 'user',
      reach: 'hub',
    }),
    create: post({
      doc: 'Tell something to a user, to users or to administrators.',
      params: { message: required(message, messageDoc), ...others },
      reply: Notification,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Notification', 'notifications/{id}/', 'One notification.', {
    read: get({
      doc: 'Read a notification.\n\nAdministrators read those of others, too.',
      reply: Notification,
      errors: ['not_found', 'forbidden'],
      policy: 'user',
      reach: 'hub',
    }),
    update: put({
      doc: 'Change a notification.\n\nWho has dismissed it does not see it again.',
      params: { message: optional(message, messageDoc), ...others },
      reply: Notification,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Delete a notification.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    dismiss: post({
      op: 'dismiss',
      doc: "Take a notification out of the caller's list.\n\nDone again, it changes nothing.",
      reply: Type.Null(),
      errors: ['not_found', 'forbidden', 'bad_request'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
};
