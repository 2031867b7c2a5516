import fc from 'fast-check';
import { assert, expect, test } from 'vitest';
import { parseBmcAddress } from './bmc-address.ts';
import { PowerFailure } from './driver.ts';
import { bootDeviceCommand, ipmitoolCall, ipmitoolFailure, parsePowerStatus } from './ipmitool.ts';

const parameters = { power_address: '10.0.0.9', power_user: 'admin', power_pass: 'geheim', cipher_suite_id: '3', privilege_level: 'ADMIN' };

test('settings become arguments, secrets go into the environment', () => {
  const { args, env } = ipmitoolCall({ parameters: { ...parameters, k_g: '0x616263', workaround_flags: ['opensesspriv', 'intel20'] } }, [
    'chassis',
    'power',
    'on',
  ]);
  expect(args.join(' ')).toBe(
    '-v -I lanplus -H 10.0.0.9 -p 623 -E -N 1 -R 2 -U admin -C 3 -L ADMINISTRATOR -o intelplus -K chassis power on',
  );
  expect(env).toEqual({ IPMI_PASSWORD: 'geheim', IPMI_KGKEY: 'abc' });
  const old = ipmitoolCall({ parameters: { ...parameters, power_driver: 'LAN', power_address: '[fd00::1]:1623' } }, []);
  expect(old.args.join(' ')).toBe('-v -I lan -H fd00::1 -p 1623 -E -N 1 -R 2 -U admin -L ADMINISTRATOR');
  expect(() => ipmitoolCall({ parameters: { ...parameters, k_g: '0x00ff' } }, [])).toThrow(PowerFailure);
});

test('EFI is asked for when the settings or the firmware say so', () => {
  const efi = ['chassis', 'bootdev', 'pxe', 'options=efiboot'];
  expect(bootDeviceCommand({ parameters: {}, firmware: 'uefi' }, 'network')).toEqual(efi);
  expect(bootDeviceCommand({ parameters: { power_boot_type: 'efi' } }, 'network')).toEqual(efi);
  expect(bootDeviceCommand({ parameters: { power_boot_type: 'legacy' }, firmware: 'uefi' }, 'network')).toEqual(efi.slice(0, 3));
  expect(bootDeviceCommand({ parameters: {} }, 'disk')).toEqual(['chassis', 'bootdev', 'none']);
});

test('only the exact sentence is a state; unknown is never off', () => {
  expect(parsePowerStatus('Chassis Power is off\n')).toBe('off');
  expect(parsePowerStatus('Chassis Power is on')).toBe('on');
  for (const said of ['', 'Chassis Power is on\nChassis Power is off\n', 'Chassis Power is offline', 'no Chassis Power is off'])
    expect(parsePowerStatus(said)).toBe('unknown');
  fc.assert(fc.property(fc.string(), (text) => ['on', 'off', 'unknown'].includes(parsePowerStatus(text))));
});

test('what a BMC says about extensions is not about the command', () => {
  const asked = 'Get HPM.x Capabilities request failed, compcode = d4\nInvalid completion code received: Invalid command\n';
  expect(ipmitoolFailure(asked, true).kind).toBe('unknown-outcome');
  expect(ipmitoolFailure(`${asked}Set Chassis Power Control to Up/On failed: Invalid command`, true).kind).toBe('unsupported');
  expect(ipmitoolFailure(`${asked}Set Chassis Power Control to Cycle failed: Command not supported in present state`, true).kind).toBe(
    'busy',
  );
  expect(ipmitoolFailure('> RAKP 2 HMAC is invalid\nError: Unable to establish IPMI v2 / RMCP+ session', true).kind).toBe('refused');
  expect(ipmitoolFailure('Get Auth Capabilities error\nError: Unable to establish IPMI v2 / RMCP+ session', true).kind).toBe('unreachable');
});

test('whatever ipmitool says, a failed command is a failure with a kind and words of bounded length', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 2000 }), fc.boolean(), (stderr, isCommand) => {
      const failure = ipmitoolFailure(stderr, isCommand);
      expect(failure.message.length).toBeGreaterThan(0);
      expect(failure.message.length).toBeLessThanOrEqual(200);
    }),
  );
});

test('an address is a host and a port, and never an option', () => {
  expect(parseBmcAddress('bmc-1.example:6230')).toEqual({ host: 'bmc-1.example', port: 6230 });
  expect(parseBmcAddress('fd00::1')).toEqual({ host: 'fd00::1', port: undefined });
  for (const bad of ['', '-oProxy', 'a b', 'host:0', 'host:99999', 'host:', '[fd00::1', '[fd00::1]x', 'host/..', 'user@host'])
    expect(() => parseBmcAddress(bad)).toThrow(PowerFailure);
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const { host, port } = parseBmcAddress(text);
        assert(/^[0-9a-z:][^\s/@]*$/i.test(host), host);
        if (port !== undefined) assert(port > 0 && port < 65536);
      } catch (error) {
        assert(error instanceof PowerFailure, String(error));
      }
    }),
  );
});
