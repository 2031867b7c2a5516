-- What an OpenID provider knows this fleet by: like verifiers, at the authority only, in no document.
create table client_secret (
  provider_id bigint primary key,
  secret text not null
);
