/** Disks that a constraint asks for, looked for at `machine m`: each wish gets a device of its own, in the order of the wishes. */
import { sql, type RawBuilder } from 'kysely';
import type { StorageWish } from '../../contract/constraints/storage-constraint.ts';

const texts = (values: readonly string[]) => sql`${values as string[]}::text[]`;

/** A Ready machine has no file systems of an owner's making; those of others count as what their owner does not use. */
const unusedDisk = sql`d.partition_table_type is null
  and not exists (select from filesystem f where f.block_device_id = d.id and not f.acquired)
  and not exists (select from storage_member u where u.block_device_id = d.id)
  and (m.storage_layout is not null or d.id is distinct from m.boot_disk_id)`;

const unusedPartition = sql`not exists (select from filesystem f where f.partition_id = p.id and not f.acquired)
  and not exists (select from storage_member u where u.partition_id = p.id)`;

/** The device that holds `/`; where nobody has laid out anything, the disk that the machine boots from. */
const rootDevice = sql`coalesce((
  select coalesce(f.block_device_id, q.block_device_id) from filesystem f left join partition q on q.id = f.partition_id
  where f.system_id = m.system_id and f.mount_point = '/' and not f.acquired limit 1), m.boot_disk_id)`;

/** One device for the n-th wish, the smallest that will do and that none before has; its number is `w<n>.id`. */
function oneOf({ kind, least, tags }: StorageWish, earlier: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  const free = (id: string) => (earlier.length === 0 ? sql`true` : sql`${sql.ref(id)} <> all (array[${sql.join([...earlier])}])`);
  if (kind === 'partition') {
    return sql`(select p.id from block_device d join partition p on p.block_device_id = d.id
      where d.system_id = m.system_id and p.size >= ${least}::bigint and p.tags @> ${texts(tags)} and ${free('p.id')} and ${unusedPartition}
      order by p.size, p.id limit 1)`;
  }
  const which = kind === 'root' ? sql`d.id = ${rootDevice}` : sql`${free('d.id')} and ${unusedDisk}`;
  return sql`(select d.id from block_device d
    where d.system_id = m.system_id and d.size >= ${least}::bigint and d.tags @> ${texts(tags)} and ${which}
    order by d.size, d.id limit 1)`;
}

const column = (at: number) => sql.ref(`w${at}.id`);

/** `from …`: one row when every wish has its device, else none. Ids of disks and partitions never meet: they are drawn from one sequence. */
export function devicesSql(wishes: readonly StorageWish[]): RawBuilder<unknown> {
  const tables = wishes.map((wish, at) => {
    const earlier = wishes.slice(0, at).map((_, before) => column(before));
    const table = sql`lateral ${oneOf(wish, earlier)} ${sql.ref(`w${at}`)}`;
    return at === 0 ? table : sql`cross join ${table}`;
  });
  return sql`from ${sql.join(tables, sql` `)}`;
}

/** What was found as `{"label": [id, "partition:ID"]}`, for a row of {@link devicesSql}. */
export function devicesByLabel(wishes: readonly StorageWish[]): RawBuilder<unknown> {
  const labels = [...new Set(wishes.map((wish) => wish.label))].filter((label) => label !== '');
  const pairs = labels.map((label) => {
    const ids = wishes.flatMap((wish, at) => {
      if (wish.label !== label) return [];
      return [wish.kind === 'partition' ? sql`to_jsonb('partition:' || ${column(at)})` : sql`to_jsonb(${column(at)})`];
    });
    return sql`${label}::text, jsonb_build_array(${sql.join(ids)})`;
  });
  return pairs.length === 0 ? sql`'{}'::jsonb` : sql`jsonb_build_object(${sql.join(pairs)})`;
}
