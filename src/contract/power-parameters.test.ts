import fc from 'fast-check';
import { assert, expect, test } from 'vitest';
import { checkPowerParameters, hideSecrets } from './power-parameters.ts';
import { powerTypes } from './power-types.ts';

test("defaults are filled in, MAAS's way", () => {
  const checked = checkPowerParameters('ipmi', { power_address: '10.0.0.9', power_pass: 'x', workaround_flags: 'intel20,supermicro20' });
  expect(checked).toMatchObject({
    ok: true,
    parameters: {
      power_driver: 'LAN_2_0',
      cipher_suite_id: '3',
      privilege_level: 'OPERATOR',
      power_off_mode: 'hard',
      workaround_flags: ['intel20', 'supermicro20'],
    },
  });
  expect(checkPowerParameters('ipmi', { power_address: 'x', cipher_suite_id: '' })).toMatchObject({
    ok: true,
    parameters: { cipher_suite_id: '' },
  });
  expect(checkPowerParameters('manual', {})).toEqual({ ok: true, parameters: {} });
});

test('what is wrong is told by field', () => {
  expect(
    checkPowerParameters('redfish', { power_address: 'a b', power_adress: 'x', power_verify_ssl: 'maybe', power_user: 'a\nb' }),
  ).toMatchObject({
    ok: false,
    errors: {
      power_address: ['An address has no spaces.'],
      power_adress: ['The redfish driver has no such setting.'],
      power_verify_ssl: ["'maybe' is not one of: y, n."],
      power_user: ['Control characters are not allowed.'],
      power_pass: ['This field is required.'],
    },
  });
  expect(checkPowerParameters('nova', {})).toMatchObject({ ok: false, errors: { power_type: ["'nova' is not a power driver."] } });
});

test('any input is settings or errors, and secrets never show', () => {
  const names = powerTypes.flatMap((type) => type.fields.map((field) => field.name));
  const input = fc.dictionary(
    fc.oneof(fc.constantFrom(...names), fc.string()),
    fc.oneof(fc.string(), fc.constant(null), fc.array(fc.string()), fc.integer(), fc.object()),
  );
  fc.assert(
    fc.property(fc.constantFrom('ipmi', 'redfish', 'manual', '', '__proto__'), input, (type, given) => {
      const checked = checkPowerParameters(type, given);
      if (!checked.ok) {
        assert(Object.keys(checked.errors).length > 0);
        return;
      }
      const shown = hideSecrets(type, checked.parameters);
      for (const name of ['power_pass', 'k_g']) expect([undefined, '', '********']).toContain(shown[name]);
    }),
  );
});

test('of a driver nobody knows, everything is hidden', () => {
  expect(hideSecrets('new-one', { token: 'abc', empty: '' })).toEqual({ token: '********', empty: '' });
});

test('the table is fit to be shown: unique names, defaults among the choices', () => {
  for (const type of powerTypes) {
    const names = type.fields.map((field) => field.name);
    expect(new Set(names).size).toBe(names.length);
    for (const { choices, default: usual } of type.fields) {
      const values: string[] = choices.map(([value]) => value);
      for (const value of values.length > 0 ? [usual].flat() : []) expect(values).toContain(value);
    }
  }
});
