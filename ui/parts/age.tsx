/** How long ago something was. */
import { lasting, moment } from '../time.ts';
import { useNow } from './now.ts';

export function Age({ since, prefix = '' }: { readonly since: string; readonly prefix?: string }) {
  const now = useNow();
  return (
    <time dateTime={since} title={moment(since)}>
      {prefix}
      {lasting(now - Date.parse(since))}
    </time>
  );
}
