from evcharging.ocpp.station.log_book import LogBook


def test_lines_are_kept_in_order_and_the_oldest_are_dropped():
    book = LogBook()
    written = [book.write(1_750_032_000.0 + second, f"line {second}") for second in range(60)]
    assert written[0] == "[00:00:00] line 0"
    assert book.lines == tuple(written[10:])


def test_stations_that_say_the_same_share_the_words():
    one, other = LogBook(), LogBook()
    for book in (one, other):
        book.write(0.0, f"Connector {len(book.lines) + 1} Charging")
    assert one._messages[0] is other._messages[0]
