/** Signing in with a name and a password. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { Button } from 'react-aria-components/Button';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { TextField } from 'react-aria-components/TextField';
import { errorText } from '../api.ts';
import { programName, programQuery, signIn } from '../session.ts';

export function SignInPage() {
  const queries = useQueryClient();
  const program = useQuery(programQuery).data;
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const attempt = useMutation({ mutationFn: () => signIn(queries, username, password) });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    attempt.mutate();
  };
  return (
    <main className="sign-in">
      <form onSubmit={submit}>
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1>Sign in to Muster</h1>
        <p className="faint">{program ? `${programName(program)} · version ${program.version}` : ' '}</p>
        <TextField value={username} onChange={setUsername} name="username" isRequired autoFocus autoComplete="username">
          <Label>Name</Label>
          <Input autoCapitalize="none" spellCheck={false} />
        </TextField>
        <TextField value={password} onChange={setPassword} name="password" type="password" isRequired autoComplete="current-password">
          <Label>Password</Label>
          <Input />
        </TextField>
        <p className="sign-in-error" role="alert">
          {attempt.isError ? errorText(attempt.error) : ''}
        </p>
        <Button type="submit" className="primary" isDisabled={attempt.isPending}>
          {attempt.isPending ? 'Signing in…' : 'Sign in'}
        </Button>
      </form>
    </main>
  );
}
