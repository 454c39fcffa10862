package remote

import (
	"fmt"

	"closesync/mapping"
)

// decode reads one record. A record that our decoder falls over is an unreadable
// one like any other, so that the rest of its page goes on (fault D9).
func decode(o *mapping.Object, raw []byte, nested map[string]*mapping.Object) (rec mapping.Remote, err error) {
	defer func() {
		if v := recover(); v != nil {
			rec, err = mapping.Remote{}, fmt.Errorf("a %s that the decoder falls over (%T)", o.Type, v)
		}
	}()
	return mapping.DecodeRemote(o, raw, nested)
}
