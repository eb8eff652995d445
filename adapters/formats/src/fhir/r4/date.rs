//! FHIR's forms of date and time: whether a text has the form, and whether the day exists. It tells
//! nothing of what the time means; readers do that.

/// Whether `text` is a `date`: a year, a month of a year, or a day (`1975`, `1975-02`, `1975-02-28`).
pub(crate) fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let year = parts.next().and_then(|part| number(part, 4, 1, 9999));
    let month = parts.next().map(|part| number(part, 2, 1, 12));
    let day = parts.next().map(|part| number(part, 2, 1, 31));
    match (year, month, day) {
        (Some(_), None, None) | (Some(_), Some(Some(_)), None) => true,
        (Some(year), Some(Some(month)), Some(Some(day))) => day <= days_in(year, month),
        _ => false,
    }
}

/// Whether `text` is a `dateTime`: a `date`, or a day with a time to the second and an offset.
pub(crate) fn is_date_time(text: &str) -> bool {
    if text.contains('T') {
        is_instant(text)
    } else {
        is_date(text)
    }
}

/// Whether `text` is an `instant`: a day, a time to the second at least, and an offset.
pub(crate) fn is_instant(text: &str) -> bool {
    let Some((day, rest)) = text.split_once('T') else {
        return false;
    };
    let Some(sign) = rest.find(['Z', '+', '-']) else {
        return false;
    };
    let Some((time, offset)) = rest.split_at_checked(sign) else {
        return false;
    };
    day.len() == 10 && is_date(day) && is_time(time) && is_offset(offset)
}

/// Whether `text` is a `time` of day to the second at least; a leap second is one.
pub(crate) fn is_time(text: &str) -> bool {
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = whole.split(':').collect();
    matches!(parts.as_slice(), [hour, minute, second]
        if number(hour, 2, 0, 23).is_some() && number(minute, 2, 0, 59).is_some() && number(second, 2, 0, 60).is_some())
        && fraction.is_none_or(digits)
}

fn is_offset(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        return text == "Z";
    };
    let Some((hour, minute)) = rest.split_once(':') else {
        return false;
    };
    match (number(hour, 2, 0, 14), number(minute, 2, 0, 59)) {
        (Some(hour), Some(minute)) => hour < 14 || minute == 0,
        _ => false,
    }
}

/// A number of exactly `width` ASCII digits within the bounds.
fn number(text: &str, width: usize, least: u32, most: u32) -> Option<u32> {
    let digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|value| digits && (least..=most).contains(value))
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_must_have_the_form_and_be_real() {
        for good in [
            "1975",
            "2024-02",
            "2024-02-29",
            "2000-02-29",
            "9999-12-31",
            "0001-01-01",
        ] {
            assert!(is_date(good) && is_date_time(good), "{good}");
        }
        let bad = [
            "",
            "75",
            "0000",
            "2023-02-29",
            "1900-02-29",
            "2024-13",
            "2024-00-01",
            "2024-04-31",
            "2024-1-1",
            "2024-01-01-",
            "2024-01-",
            "2024/01/01",
            "20240101",
            "２０２４",
            "+024",
            "2024-01-01T",
            " 2024",
            "-2024",
        ];
        for bad in bad {
            assert!(!is_date(bad), "{bad}");
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn times_must_have_seconds_and_an_offset() {
        for good in [
            "2024-02-29T23:59:59Z",
            "2016-12-31T23:59:60Z",
            "2024-02-29T00:00:00.123456789+03:30",
            "2024-02-29T00:00:00-14:00",
        ] {
            assert!(is_instant(good) && is_date_time(good), "{good}");
        }
        for bad in [
            "2024-02-29T23:59Z",
            "2024-02-29T23:59:59",
            "2024-02-30T23:59:59Z",
            "2024-02T23:59:59Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29T23:59:59z",
            "2024-02-29T23:59:59.Z",
            "2024-02-29T23:59:59+0330",
            "2024-02-29T23:59:59+14:30",
            "2024-02-29T23:59:59+03:30Z",
            "2024-02-29 23:59:59Z",
            "2024-02-29TT23:59:59Z",
        ] {
            assert!(!is_instant(bad) && !is_date_time(bad), "{bad}");
        }
        assert!(is_time("08:30:00") && is_time("08:30:00.5"));
        assert!(!is_time("08:30") && !is_time("25:00:00") && !is_time("08:30:00Z") && !is_time(""));
    }
}
