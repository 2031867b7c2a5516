-- Lists of operations are newest first by the time that bodies show, which is cut to milliseconds, so that a front can merge them by it.
create index operation_newest on operation ((date_trunc('milliseconds', started at time zone 'UTC')) desc, id desc);
