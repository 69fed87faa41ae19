"""What is received, read: strictly where it is as promised, else field by field and leniently.

decoding        bytes, or decoded JSON, to the declared type
parsing         JSON as it comes: NaN, huge numbers, halves of characters
repairs         the lenient half: what is converted, and what is lost and reported
scalars, content_parts
                numbers and text of other kinds; parts of content where text was declared
decoding_rules  what a type knows about its own JSON beside its fields
mismatches      what could not be converted, and whether that is an error
"""
