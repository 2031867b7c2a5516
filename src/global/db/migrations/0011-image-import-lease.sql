-- Which process of the authority imports images, and until when it has it without a word of it; when the last import ended.
create table image_import_lease (
  one boolean primary key default true check (one),
  holder text,
  until timestamptz not null,
  finished timestamptz
);
