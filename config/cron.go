package config

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// cronParser takes five fields or a descriptor such as "@every 15s".
var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// ParseSchedule parses a cron expression in UTC, unless it begins with TZ= or
// CRON_TZ=. It gives false for what is wrong, or never due.
func ParseSchedule(expr string) (cron.Schedule, bool) {
	// The parser splits at blanks alone, and panics on a zone without more.
	expr = strings.Join(strings.Fields(expr), " ")
	zoned := strings.HasPrefix(expr, "TZ=") || strings.HasPrefix(expr, "CRON_TZ=")
	if expr == "" || zoned && !strings.Contains(expr, " ") {
		return nil, false
	}
	if !zoned {
		expr = "TZ=UTC " + expr
	}
	s, err := cronParser.Parse(expr)
	if err != nil {
		return nil, false
	}
	// The parser makes a second of anything shorter, even of a negative delay.
	if _, every, ok := strings.Cut(expr, "@every "); ok {
		if d, err := time.ParseDuration(every); err != nil || d < time.Second {
			return nil, false
		}
	}
	// 30 February parses and never comes. The parser looks five years ahead,
	// which holds a 29 February from any start but those before 1900 or 2100.
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, false
	}
	return s, true
}

func (l *loader) cron(s setting) string {
	if _, ok := ParseSchedule(s.value); !ok {
		l.probs.add(s.pos, s.key, "is no schedule, or one that is never due",
			`write five cron fields such as "*/5 * * * *", or "@every 15s"`)
	}
	return s.value
}
