# Commissioning and test scripts: fetch, run one after the other, report each. Needs console.sh and http.sh.

# signal STATUS CURL_FORM_ARGUMENTS…: MAAS's op=signal, multipart/form-data.
signal() {
  local word="$1"
  shift
  call /MAAS/metadata/latest/ -F op=signal -F "status=$word" "$@"
}

# run_script NAME PATH RESULT_ID VERSION_ID TIMEOUT: runs it with MAAS's variables, signals WORKING before and its result after.
# The result is the script's exit status; a script that overruns its time counts as TIMEDOUT (124, 143 from timeout(1)).
run_script() {
  local name="$1" path="$2" result="$3" version="$4" limit="$5" out="$run/out/$1.$3" began code word tees group
  mkdir -p "$run/out"
  rm -f "$out" "$out".*
  : >"$out"; : >"$out.out"; : >"$out.err"; : >"$out.yaml"
  signal WORKING -F "script_result_id=$result" -F "script_version_id=$version" -F "error=Running $name" || refused "signal WORKING for $name"
  case $name in
    50-muster-inventory) path=$muster/inventory ;;
    *) path=$run/scripts/$path ;;
  esac
  case ${limit:-0} in 0 | *[!0-9]*) limit=604800 ;; esac
  export OUTPUT_COMBINED_PATH="$out" OUTPUT_STDOUT_PATH="$out.out" OUTPUT_STDERR_PATH="$out.err" RESULT_PATH="$out.yaml" DOWNLOAD_PATH="$run/download"
  export RUNTIME="$limit" HAS_STARTED=False
  mkdir -p "$DOWNLOAD_PATH"
  mkfifo "$out.fifo-out" "$out.fifo-err"
  tee -a "$out" <"$out.fifo-out" >"$out.out" &
  tees=$!
  tee -a "$out" <"$out.fifo-err" >"$out.err" &
  tees="$tees $!"
  began=$(uptime_seconds)
  code=0
  # A session of its own: what an overrun script leaves behind holds the pipes open, and is killed with it.
  setsid timeout "$limit" "$path" >"$out.fifo-out" 2>"$out.fifo-err" </dev/null &
  group=$!
  wait $group || code=$?
  kill -9 -$group 2>/dev/null || :
  # shellcheck disable=SC2086 # two process ids
  wait $tees
  began=$(($(uptime_seconds) - began))
  rm -f "$out.fifo-out" "$out.fifo-err"
  word=WORKING
  case $code in 124 | 143) [ $began -lt "$limit" ] || word=TIMEDOUT ;; esac
  say "script $name: exit $code after $began s"
  set -- -F "script_result_id=$result" -F "script_version_id=$version" -F "exit_status=$code" -F "runtime=$began" \
    -F "error=Finished $name: $code" -F "$name=@$out;type=application/octet-stream" -F "$name.out=@$out.out;type=application/octet-stream" \
    -F "$name.err=@$out.err;type=application/octet-stream"
  [ -s "$out.yaml" ] && set -- "$@" -F "$name.yaml=@$out.yaml;type=application/octet-stream"
  signal $word "$@" || refused "signal for $name"
  return $code
}

# run_scripts: everything the cell has to run, asked again until it answers 204. Failed scripts are counted in $failed_scripts; the
# machine's verdict is the cell's, which knows which scripts may fail.
run_scripts() {
  local name path result version limit rounds=0
  failed_scripts=0
  while [ $rounds -lt 100 ]; do
    rounds=$((rounds + 1))
    call /MAAS/metadata/latest/maas-scripts || refused maas-scripts
    [ "$status" != 204 ] || return 0
    rm -rf "$run/scripts"
    mkdir -p "$run/scripts"
    tar -x -C "$run/scripts" -f "$run/reply" || fail "maas-scripts: the tar cannot be read"
    [ -f "$run/scripts/index.tsv" ] || fail "maas-scripts: no index.tsv"
    while IFS='	' read -r name path result version limit _; do
      [ -n "$name" ] || continue
      run_script "$name" "$path" "$result" "$version" "$limit" </dev/null || failed_scripts=$((failed_scripts + 1))
    done <"$run/scripts/index.tsv"
  done
  fail "maas-scripts: the cell still has scripts after $rounds rounds"
}
