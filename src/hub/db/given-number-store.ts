/** The numbers of cells and fronts: each is given once. All of it under the lock of the config stream, so that no two are drawn at once. */
import { sql } from 'kysely';
import { lastCell } from '../../contract/ids.ts';
import type { HubDb, Role } from './hub-tables.ts';

/** Numbers that are skipped after a restore: joins of the lost time cannot have been more. */
const skippedNumbers = 100;

/** To whom a number was given; undefined: to nobody yet. */
export async function nameOfNumber(db: HubDb, role: Role, number: number): Promise<string | undefined> {
  const row = await db.selectFrom('given_number').select('name').where('role', '=', role).where('number', '=', number).executeTakeFirst();
  return row?.name;
}

/** The number that was drawn for this name. */
export async function numberDrawnFor(db: HubDb, role: Role, name: string): Promise<number | undefined> {
  const row = await db
    .selectFrom('given_number')
    .select('number')
    .where('role', '=', role)
    .where('name', '=', name)
    .where('drawn', '=', true)
    .orderBy('given_at', 'desc')
    .executeTakeFirst();
  return row?.number;
}

/** Draw the lowest number that nobody was given, above all that may have been given in time that was lost. undefined: there is none. */
export async function drawNumber(db: HubDb, role: Role, name: string, epoch: number): Promise<number | undefined> {
  const { rows } = await sql<{ number: number }>`
    with bottom as (
      select coalesce(max(number) + ${skippedNumbers}, 0) as number from given_number where role = ${role} and drawn and epoch < ${epoch}),
    free as (
      select candidate as number from bottom, generate_series(1, ${lastCell}) candidate
      where not exists (select from given_number where role = ${role} and number = candidate)
      order by candidate <= bottom.number, candidate limit 1)
    insert into given_number (role, number, name, drawn, epoch) select ${role}, number, ${name}, true, ${epoch} from free
    returning number`.execute(db);
  return rows[0]?.number;
}

/** Note a number that a joiner brought. */
export async function keepNumber(db: HubDb, role: Role, number: number, name: string, epoch: number): Promise<void> {
  await db
    .insertInto('given_number')
    .values({ role, number, name, drawn: false, epoch })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
