import { PowerFailure } from './driver.ts';

const NAME = /^[a-z0-9]([a-z0-9._-]{0,252})$/i;
const V6 = /^[0-9a-f:.]{2,45}(%[a-z0-9.-]{1,15})?$/i;

export interface BmcAddress {
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * Reads `host`, `host:port`, `[v6]:port` or a bare IPv6 address. Throws `wrong-settings` for anything else: the host goes
 * into an argument list, where a leading dash would be an option.
 */
export function parseBmcAddress(text: string): BmcAddress {
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text);
  if (bracketed) return checked(text, bracketed[1] ?? '', bracketed[2], V6);
  if (text.split(':').length > 2) return checked(text, text, undefined, V6);
  const [host = '', port] = text.split(':');
  return checked(text, host, port, NAME);
}

function checked(text: string, host: string, port: string | undefined, shape: RegExp): BmcAddress {
  if (!shape.test(host)) throw new PowerFailure('wrong-settings', `'${text}' is not a host, host:port or [IPv6]:port.`);
  if (port === undefined) return { host, port: undefined };
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65535) throw new PowerFailure('wrong-settings', `'${text}' has no valid port.`);
  return { host, port: number };
}
