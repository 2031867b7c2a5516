# Calls to the cell. Every call may be repeated: the boot id makes the same answer come back. Needs console.sh and cell.sh; reads $boot_id.

# How long a cell may be away before this boot gives up.
patience=${MUSTER_PATIENCE:-1800}

# authorization: the header of RFC 5849 §3.4.4 (PLAINTEXT). Consumer secret is empty. The cell does not judge the time: ours may be 1970.
authorization() {
  printf 'Authorization: OAuth oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="%s", oauth_token="%s", oauth_signature="%%26%s", oauth_nonce="%s", oauth_timestamp="%s"' \
    "$(url_encode "$CONSUMER_KEY")" "$(url_encode "$TOKEN_KEY")" "$(url_encode "$TOKEN_SECRET")" "$(random_hex 8)" "$(date +%s)"
}

# random_hex BYTES: from the kernel's generator.
random_hex() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# once REPLY_FILE PATH CURL_ARGUMENTS…: one try. Prints the status, 000 when there was no whole answer; then the next try asks the cell's next
# address.
once() {
  local reply="$1" path="$2" base got
  shift 2
  base=$(cell)
  if [ -n "${TOKEN_KEY:-}" ]; then set -- -H "$(authorization)" "$@"; fi
  got=$(curl -sS --connect-timeout 10 --speed-limit 1 --speed-time 60 --max-time 600 -H 'Expect:' -H "User-Agent: muster-agent" \
    -D "$reply.head" -o "$reply" -w '%{http_code}' "$@" "$base$path" 2>"$reply.error" || printf ' broken')
  case $got in *' broken' | 000 | 502 | 503 | 504) next_cell "$base" ;; esac
  printf '%s' "$got"
}

# call PATH CURL_ARGUMENTS…: until the cell has answered. Body in $run/reply, status in $status. False for a final refusal (a 4xx but 429,
# a 500): the body says why. Every address of the cell is asked before a pause; pauses grow from 1 s to 30 s; after $patience seconds without
# an answer the agent fails.
call() {
  local path="$1" pause=1 end left
  shift
  left=$(cells)
  end=$(($(uptime_seconds) + patience))
  while :; do
    status=$(once "$run/reply" "$path" "$@")
    case $status in
      2??) return 0 ;;
      *' broken' | 000 | 429 | 502 | 503 | 504) ;;
      *) return 1 ;;
    esac
    left=$((left - 1))
    if [ $left -gt 0 ] && [ "$status" != 429 ]; then
      say "$path: ${status%% *} $(head -c 200 "$run/reply.error" 2>/dev/null | head -n 1); now $(cell)"
      continue
    fi
    left=$(cells)
    say "$path: ${status%% *} $(head -c 200 "$run/reply.error" 2>/dev/null | head -n 1); again in $pause s"
    [ "$(uptime_seconds)" -lt "$end" ] || fail "$path: no answer from $muster_url for $patience s"
    sleep $pause
    pause=$((pause * 2))
    [ $pause -le 30 ] || pause=30
  done
}

# refused WHAT: the last answer was final. Its words go to the console and to $run/failure, unless it was no refusal: then they may hold keys.
refused() {
  case ${status:-none} in
    4?? | 5??) fail "$1: refused with $status: $(head -c 600 "$run/reply" 2>/dev/null | tr '\n' ' ')" ;;
    *) fail "$1: could not be asked (last status ${status:-none})" ;;
  esac
}

# read_answer: takes the KEY='value' lines of the last answer in; anything else in it is left out.
read_answer() {
  grep "^[A-Z_]*='[^']*\('\\\\''[^']*\)*'\$" "$run/reply" >"$run/answer" || :
  . "$run/answer"
}

# set_clock: from the cell's Date header when ours is more than a day off, so that files on a new disk do not bear 1970.
set_clock() {
  local theirs now
  theirs=$(sed -n 's/^[Dd]ate: *//p' "$run/reply.head" | sed 's/ GMT.*//' | tail -n 1)
  theirs=$(date -u -D '%a, %d %b %Y %H:%M:%S' -d "$theirs" +%s 2>/dev/null) || return 0
  now=$(date +%s)
  if [ $((theirs - now)) -gt 86400 ] || [ $((now - theirs)) -gt 86400 ]; then date -u -s "@$theirs" >/dev/null 2>&1; fi
  return 0
}
