package network

import "github.com/bluelamp/bluelamp/internal/detect"

var _ detect.Detector = (*Detector)(nil)
