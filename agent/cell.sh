# Which of the cell's addresses is asked. $muster_url has one, or several with commas between them: processes of one cell, each as good as the
# others. What answered last is asked first; the choice is kept in a file, since heartbeats and the plan's steps are processes of their own.

# cell: the base URL to ask now.
cell() {
  local kept=''
  if [ -r "$run/cell" ]; then kept=$(cat "$run/cell"); fi
  case ",$muster_url," in
    *",$kept,"*) if [ -n "$kept" ]; then printf '%s' "$kept"; return 0; fi ;;
  esac
  printf '%s' "${muster_url%%,*}"
}

# next_cell URL: that one did not answer; the one after it is asked from now on, unless somebody has moved on already.
next_cell() {
  local rest=",$muster_url,"
  [ "$(cell)" = "$1" ] || return 0
  rest=${rest#*",$1,"}
  rest=${rest%%,*}
  printf '%s\n' "${rest:-${muster_url%%,*}}" >"$run/cell.new.$$"
  mv "$run/cell.new.$$" "$run/cell"
}

# cells: how many there are.
cells() { printf '%s' "$muster_url" | awk -F, '{ print NF }'; }
