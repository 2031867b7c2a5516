/** The end of notifications. */
import type { Draft } from './draft.ts';
import type { BodyOf } from './kinds.ts';

/** Stage the end of a notification and of what was dismissed of it. */
export function retireNotification(draft: Draft, notification: BodyOf<'notification'>): void {
  for (const [id, dismissal] of draft.entries('notification_dismissal'))
    if (dismissal.notification === notification.id) draft.retire('notification_dismissal', id);
  draft.retire('notification', notification.id);
}

/** Stage the end of what was for one user alone, and of what that user dismissed. */
export function retireNotificationsOf(draft: Draft, user: number): void {
  for (const [id, dismissal] of draft.entries('notification_dismissal'))
    if (dismissal.user === user) draft.retire('notification_dismissal', id);
  for (const one of draft.list('notification')) {
    if (one.user !== user) continue;
    if (one.users || one.admins) draft.put('notification', one.id, { ...one, user: null });
    else retireNotification(draft, one);
  }
}
