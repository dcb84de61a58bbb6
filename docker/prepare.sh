#!/bin/sh
# Write what docker-compose.yml takes from docker/.env: secrets, made up once and kept, and the number of charge points.
#
#   sh docker/prepare.sh [CHARGE_POINTS]     CHARGE_POINTS: 2 to 99; where it is left out, what was set before stays
set -eu
cd "$(dirname "$0")"
umask 077
file=.env
touch "$file"

# 40 characters: the most that OCPP lets a station's password have.
keep_or_make_up() {
  grep -q "^$1=." "$file" || set_to "$1" "$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')"
}

set_to() {
  remove "$1"
  printf '%s=%s\n' "$1" "$2" >>"$file"
}

remove() {
  kept=$(grep -v "^$1=" "$file" || true)
  if [ -n "$kept" ]; then printf '%s\n' "$kept" >"$file"; else : >"$file"; fi
}

ids() {
  awk -v n="$1" -v last="$2" 'BEGIN { for (; n <= last; n++) printf "CP-%03d%s", n, (n < last ? "," : "") }'
}

charge_points() {
  set_to EVCHARGING_CHARGE_POINTS "$(ids 1 "$1")"
  if [ "$1" -eq 2 ]; then
    remove COMPOSE_PROFILES; remove EVCHARGING_MORE_COUNT; remove EVCHARGING_MORE_CHARGE_POINTS
  else
    set_to COMPOSE_PROFILES more
    set_to EVCHARGING_MORE_COUNT "$(($1 - 2))"
    set_to EVCHARGING_MORE_CHARGE_POINTS "$(ids 3 "$1")"
  fi
}

wanted=${1:-}
case $wanted in
  '' | [2-9] | [1-9][0-9]) ;;
  *) echo "CHARGE_POINTS=$wanted: expected a number from 2 to 99" >&2; exit 2 ;;
esac

# A database keeps the password it was made with; with another one Central would be refused, and say so much later.
if ! grep -q '^POSTGRES_PASSWORD=.' "$file" && docker volume inspect evcharging_postgres-data >/dev/null 2>&1; then
  echo "docker/.env has no POSTGRES_PASSWORD, and the database of an earlier run is still there with its own:" >&2
  echo "put that password into docker/.env, or delete the data with: make clean" >&2
  exit 2
fi

keep_or_make_up CENTRAL_API_TOKEN
keep_or_make_up POSTGRES_PASSWORD
keep_or_make_up OCPP_STATION_PASSWORD
[ -z "$wanted" ] || charge_points "$wanted"
