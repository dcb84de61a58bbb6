#!/bin/sh
# An operator's work with curl: change the price, take a charge point out of service, put it back, start and end a
# session.
#
# Shows the HTTP API's habits: 202 with a command_id for an order, 409 with problem details where the state forbids it,
# and an Idempotency-Key that makes a repeated order the same order.
#
# Run it beside `make run`:
#
#   sh examples/http_operator.sh
#   CENTRAL=http://localhost:8000 CP=CP-002 CENTRAL_API_TOKEN=... sh examples/http_operator.sh
set -eu

central=${CENTRAL:-http://localhost:8000}
cp=${CP:-CP-003}

# call METHOD PATH [BODY] [HEADER]: prints the status and the body of the answer
call() {
  echo "> $1 $2 ${3:-}"
  curl --silent --show-error --request "$1" "$central$2" \
    --header 'Content-Type: application/json' \
    ${CENTRAL_API_TOKEN:+--header "Authorization: Bearer $CENTRAL_API_TOKEN"} \
    ${4:+--header "$4"} \
    ${3:+--data "$3"} \
    --write-out '\n%{http_code}\n\n'
}

# wait_for PATH PART: asks until PART is in the answer, for 20 s at most
wait_for() {
  for _ in $(seq 100); do
    case $(curl --silent "$central$1") in *"$2"*) return 0 ;; esac
    sleep 0.2
  done
  echo "$1 does not say $2 after 20 s" >&2
  return 1
}

until_state() {
  wait_for "/cp/$cp" "\"state\":\"$1\",\"connectors\""
}

call GET /pricing
call POST /pricing '{"price": 0.35, "currency": "EUR"}'

key="Idempotency-Key: stop-$cp-$$"
call POST "/cp/$cp/stop" '' "$key"
call POST "/cp/$cp/stop" '' "$key" # the same order again: the same answer, and nothing happens twice
until_state STOPPED
call POST "/cp/$cp/stop" # another order: 409, it is stopped already
call POST "/cp/$cp/resume"
until_state ACTIVATED

call POST "/cp/$cp/start" '{"driver_id": "driver-zoe"}'
until_state SUPPLYING
session=$(curl --silent "$central/cp/$cp" | sed -n 's/.*"driver_id":"[^"]*","session_id":"\([^"]*\)".*/\1/p')
call POST "/api/v1/sessions/$session/stop"
wait_for "/api/v1/sessions/$session" '"status":"COMPLETED"'
call GET "/api/v1/sessions/$session"
call GET /totals
