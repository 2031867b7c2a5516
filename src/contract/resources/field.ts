/** Kinds of fields that many resources share. Bodies are MAAS's to the type; what it shows as null is null, what it leaves out is left out. */
import { Type, type TEnum, type TSchema } from 'typebox';

/** `schema` or null: a field that is always there but may be empty. */
export function nullable<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()]);
}

/** One of these words. */
export function oneOf<const W extends readonly string[]>(...words: W): TEnum<[...W]> {
  return Type.Enum<[...W]>([...words]);
}

/** A moment as RFC 3339 in UTC (`2026-11-23T13:21:12.345Z`). Only fields of ours have it; MAAS's own timestamps keep MAAS's form. */
export const Instant = Type.String({ format: 'date-time' });

/** `cell × 10¹¹ + n`, a safe integer (contract/ids.ts). */
export const Id = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Six bytes in hexadecimal with colons; written in lower case, read in either. */
export const MacAddress = Type.String({ pattern: '^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$' });

/** One IP address of either family, as text. */
export const AddressText = Type.String({ minLength: 2, maxLength: 45, pattern: '^[0-9a-fA-F:.]+$' });

/** What a list of names for things that people choose may look like. */
export const Name = Type.String({ minLength: 1, maxLength: 256, pattern: '^[a-zA-Z0-9]([-a-zA-Z0-9_. ]*[a-zA-Z0-9])?$' });

/** In any case of letters. */
export const Uuid = Type.String({ pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' });

/** One label of a DNS name, as RFC 1123 §2.1 has it. */
export const Hostname = Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$' });

export const Description = Type.String({ maxLength: 4096 });

/** A free remark that goes into the event of what is asked for. */
export const Comment = Type.String({ maxLength: 1024 });

/** String to string, such as owner_data. */
export const Dictionary = Type.Record(Type.String(), Type.String());

/** The body of a reply that has none. */
export const Nothing = Type.Null();
